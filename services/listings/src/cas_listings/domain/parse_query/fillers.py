"""Words of a request that describe no listing: searching for them would find nothing."""

_BROWSING = "show browse all any everything everybody everyone anything list explore"
_FILLERS = """
    a about age aged also am an and anybody are around as at available be best by can class classes could course
    courses daughter do find first for from get give good great have has hello help her hers hi him his hour
    hourly how i if in is it its just know least less lesson lessons level levels like live looking maybe me min
    mins minutes more most much my near nearby need needed needs of offer offering offers old olds on or our per
    person please plus prefer preferably price prices rate rates search searching see session sessions she he
    some somebody someone son teach teacher teachers teaches teaching than thanks that the their them there they
    this time times to today tuition tutor tutored tutoring tutors us want wanted wants we weekly who whose will
    with within without would year years you your yr yrs
"""
BROWSING = frozenset(_BROWSING.split())
FILLERS = BROWSING | frozenset(_FILLERS.split())
