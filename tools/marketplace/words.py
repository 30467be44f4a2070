"""What tutors write about themselves, in pieces."""

# How many listings name a subject, in proportion; by id of the taxonomy.
SUBJECTS = {
    "mathematics": 26,
    "english": 16,
    "physics": 8,
    "chemistry": 8,
    "biology": 7,
    "computer-science": 5,
    "french": 4,
    "spanish": 4,
    "history": 3,
    "geography": 3,
    "economics": 3,
    "business-studies": 2,
    "psychology": 2,
    "sociology": 1,
    "german": 1,
    "italian": 1,
    "mandarin": 1,
    "arabic": 1,
    "latin": 1,
    "religious-studies": 1,
    "music": 3,
    "art": 2,
    "drama": 1,
    "physical-education": 1,
    "sciences": 3,
    "languages": 1,
}
# What is taught together, so that the subjects of one person make sense.
NEIGHBOURS = {
    "mathematics": ("physics", "computer-science", "economics"),
    "english": ("history", "drama", "religious-studies"),
    "physics": ("mathematics", "chemistry"),
    "chemistry": ("biology", "physics"),
    "biology": ("chemistry", "psychology"),
    "computer-science": ("mathematics", "physics"),
    "french": ("spanish", "german", "italian"),
    "spanish": ("french", "italian"),
    "history": ("geography", "english"),
    "geography": ("history", "economics"),
    "economics": ("business-studies", "mathematics"),
    "psychology": ("sociology", "biology"),
    "music": ("drama",),
}
TOPICS = {
    "mathematics": "algebra, fractions, geometry, trigonometry, calculus, statistics, mechanics, vectors, probability",
    "english": "essays, poetry, Shakespeare, creative writing, comprehension, grammar, spelling, set texts",
    "physics": "forces, electricity, waves, thermodynamics, particles, circuits, optics, space, practical papers",
    "chemistry": "moles, bonding, organic mechanisms, titrations, equilibria, rates, electrolysis, spectroscopy",
    "biology": "cells, genetics, ecology, respiration, photosynthesis, evolution, the nervous system",
    "computer-science": "Python, algorithms, data structures, databases, networks, binary, objects, HTML",
    "french": "speaking, listening, verbs, vocabulary, translation, film and literature, pronunciation, grammar",
    "spanish": "conversation, the subjunctive, listening papers, vocabulary, translation, culture, photo cards",
    "history": "source questions, the Tudors, Weimar Germany, the Cold War, essay structure, coursework, medicine",
    "geography": "rivers, coasts, urban change, fieldwork, maps, climate, case studies, development",
    "economics": "elasticity, markets, inflation, growth, trade, diagrams, data response, game theory",
    "psychology": "memory, attachment, research methods, approaches, psychopathology, statistics tests",
    "music": "theory, composition, sight reading, aural tests, set works, harmony, performance",
}
USUAL_TOPICS = (
    "the foundations, exam technique, coursework, revision plans, past papers, key terms, long answers"
)
HEADLINES = (
    "{level} {subject} tutor in {place}",
    "{subject} lessons for {level} students",
    "Patient {subject} tuition, {level} and above",
    "Friendly {subject} tutor with {years} years of experience",
    "{level} {subject}: from a pass to a top grade",
    "Experienced {subject} teacher, {level} specialist",
    "{subject} made clear for {level}",
    "One-to-one {subject} for {level} in {place}",
    "Confidence in {subject}, {level} to exam day",
    "{place} {subject} tutor, {level} and resits",
)
OPENINGS = (
    "I have taught {subject} for {years} years in schools and at home.",
    "I am a qualified teacher of {subject} and examine for a large board.",
    "I studied {subject} at university and have tutored ever since.",
    "After {years} years in the classroom I now teach one to one.",
    "I help students who have lost their confidence in {subject} to find it again.",
    "My students say that {subject} finally makes sense to them.",
)
MIDDLES = (
    "We begin with what you find hard, often {topic} and {topic2}, and work from there.",
    "Every lesson has a short recap, new material such as {topic}, and questions from past papers.",
    "I plan each lesson around your exam board, with extra time for {topic}.",
    "Between lessons you get short tasks on {topic} and feedback within a day.",
    "Parents receive a note after every fourth lesson on how {topic} and {topic2} are going.",
    "I like to explain {topic} with pictures and examples from everyday life.",
    "Students with dyslexia or ADHD are welcome: we keep tasks short and clear.",
)
CLOSINGS = (
    "Lessons take place in {place} or online with a shared whiteboard.",
    "I am based in {place} and happy to travel a little.",
    "Most of my students improve by one or two grades in a year.",
    "Write to me and tell me what you would like to reach.",
    "The first conversation costs nothing and commits you to nothing.",
)
QUALIFICATIONS = (
    "PGCE",
    "QTS",
    "BSc (Hons)",
    "BA (Hons)",
    "MSc",
    "MA",
    "MEd",
    "PhD",
    "Examiner",
    "TEFL",
)
TAGS = (
    "weekends",
    "evenings",
    "resits",
    "half-term",
    "small groups",
    "exam board",
    "eleven plus",
    "homework",
    "bilingual",
)
RESPONSE_TIMES = ("Within 1 hour", "Within 3 hours", "Within a day", "Within 2 days")
# Where most people live; every other town has the weight 1.
CITIES = {
    "London": 170,
    "Birmingham": 50,
    "Manchester": 45,
    "Leeds": 35,
    "Glasgow": 32,
    "Sheffield": 25,
    "Liverpool": 25,
    "Bristol": 25,
    "Edinburgh": 25,
    "Leicester": 18,
    "Cardiff": 18,
    "Coventry": 15,
    "Nottingham": 18,
    "Newcastle upon Tyne": 16,
    "Belfast": 16,
    "Brighton": 14,
    "Southampton": 12,
    "Portsmouth": 10,
    "Reading": 10,
    "Oxford": 12,
    "Cambridge": 12,
    "York": 10,
    "Bath": 6,
}
# Pounds an hour that are usual at a level, by id of the taxonomy.
PRICES = {
    "primary": 26,
    "ks3": 29,
    "gcse": 34,
    "a-level": 42,
    "ib": 48,
    "undergraduate": 52,
    "postgraduate": 60,
    "adult-learning": 32,
}
