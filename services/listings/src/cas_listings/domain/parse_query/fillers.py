"""Words of a request that describe no listing: searching for them would find nothing."""

_BROWSING = "show browse all any everything everybody everyone anything list explore"
_FILLERS = """
    a about above after age aged ages also am an and anybody approx approximately are around as at available be
    before below best between budget but by can charge charges charging circa class classes cost costs could
    course courses daughter do each fee fees find first for from get give good great has have he hello help her
    hers hi him his hour hourly hours how i if in is it its just know least less lesson lessons level levels like
    live looking max maximum maybe me min minimum mins minutes more most much my nd near nearby need needed needs
    of offer offering offers old olds on or our over pay per person please plus prefer preferably price prices
    range rate rates rd roughly s search searching see session sessions she some somebody someone son spend st
    starting starts teach teacher teachers teaches teaching th than thanks that the their them there they this til
    till time times to today tops tuition tutor tutored tutoring tutors under until up upwards us want wanted
    wants we week weekly weeks who whose will with within without would year years you your yr yrs
"""
BROWSING = frozenset(_BROWSING.split())
FILLERS = BROWSING | frozenset(_FILLERS.split())
