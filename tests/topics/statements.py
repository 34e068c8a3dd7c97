"""Value statements with known themes, made up: what the tests and the benchmark find topics in.

A statement is a value, right or duty, as short as those of the paper's pipeline: one or two of a theme's phrases, with
or without a verb, whom it is about and where. 60 themes with six phrases each make millions of distinct statements.
"""

from __future__ import annotations

import numpy as np

THEMES = [
    "privacy, personal data, confidential information, anonymity, private messages, medical records",
    "free speech, freedom of expression, open debate, the right to criticise, uncensored opinion, political speech",
    "public health, disease prevention, vaccination, clean hospitals, health care, medical treatment",
    "accurate information, factual reporting, true statements, correct facts, reliable news, verified claims",
    "fair trial, due process, impartial judges, legal defence, presumption of innocence, access to courts",
    "bodily autonomy, informed consent, physical integrity, refusing treatment, control of one's body, consent",
    "religious belief, freedom of worship, sacred traditions, faith, prayer, religious tolerance",
    "equal pay, fair wages, decent salary, pay transparency, compensation for work, minimum wage",
    "honesty, truthfulness, sincerity, candour, not lying, telling the truth",
    "financial security, savings, protection from fraud, safe banking, pension, economic safety",
    "cultural diversity, inclusion, multicultural society, ethnic heritage, minority cultures, many languages",
    "education, schooling, learning, literacy, access to teachers, university study",
    "gender equality, equality of women, equal treatment of the sexes, ending sexism, women's rights, girls' rights",
    "loyalty, trust, faithfulness, keeping promises, commitment to friends, reliability",
    "self-defence, personal safety, protection from violence, safety from attack, secure streets, freedom from fear",
    "professional conduct, workplace ethics, workplace respect, good management, office courtesy, staff standards",
    "clean water, clean air, healthy environment, freedom from pollution, safe drinking water, toxic waste control",
    "academic integrity, honest research, original work, avoiding plagiarism, proper citation, exam honesty",
    "scientific progress, technological advancement, research, discovery, experiments, scientific curiosity",
    "productivity, efficiency, saving time, optimal use of resources, lean production, output of work",
    "personal growth, self-improvement, ambition, self-development, reaching one's potential, learning new skills",
    "historical accuracy, remembering the past, archives, honest history, historical memory, heritage records",
    "justice, punishment of crime, accountability of criminals, lawful order, rule of law, fair sentencing",
    "creativity, artistic freedom, innovation, imagination, original art, creative writing",
    "community cohesion, solidarity, neighbourly help, social harmony, belonging, mutual aid",
    "property rights, home ownership, housing, shelter, tenants' protection, affordable homes",
    "intellectual property, copyright, patents, authors' royalties, trademarks, licences of software",
    "whistleblowing, reporting misconduct, exposing corruption, reporting crime, anonymous tips, exposing abuse",
    "climate protection, sustainability, renewable energy, lower emissions, saving the planet, green energy",
    "economic stability, low inflation, stable markets, sound budgets, employment, steady growth",
    "competition, free markets, merit, rewarding talent, achievement, winning by skill",
    "sanctity of life, preserving life, saving lives, preventing death, protecting the unborn, value of human life",
    "animal welfare, humane treatment of animals, preventing cruelty to pets, wildlife, care of livestock, dogs",
    "work-life balance, rest, leisure, family time, vacation, freedom from overtime",
    "tradition, respect for ancestors, customs, family rituals, elders' wisdom, old festivals",
    "altruism, charity, volunteering, selfless service, generosity, helping the poor",
    "child protection, children's safety, safeguarding minors, protecting kids online, child welfare, safe childhood",
    "parental authority, raising children, parents' choice, family upbringing, parental care, guidance of teenagers",
    "national security, defence of the country, border protection, counter-terrorism, military readiness, spying",
    "democracy, voting, fair elections, political participation, representation, referendums",
    "government transparency, open records, public accountability, budget disclosure, open government, audits",
    "mental health, emotional well-being, stress relief, therapy, suicide prevention, support in depression",
    "nutrition, healthy food, food safety, eating well, freedom from hunger, balanced diet",
    "road safety, careful driving, traffic rules, pedestrian protection, seat belts, sober driving",
    "cybersecurity, secure passwords, protection from hackers, network defence, software updates, data encryption",
    "racial equality, anti-racism, ending racial discrimination, civil rights, dignity of races, racial justice",
    "disability access, wheelchair ramps, disabled people, assistive technology, accessible buildings, sign language",
    "sexual orientation, gay rights, same-sex marriage, transgender dignity, queer people, gender identity",
    "humour, entertainment, fun, play, jokes, games",
    "romantic love, marriage, intimacy, partnership, dating, affection",
    "friendship, companionship, close friends, social bonds, being there for a friend, shared memories",
    "consumer protection, honest advertising, product safety, refunds, clear labels, warranty",
    "immigration, asylum, refugee protection, open borders, migrants' dignity, family reunification",
    "freedom of movement, travel, crossing borders, tourism, mobility, exploring the world",
    "peace, nonviolence, disarmament, conflict resolution, diplomacy, reconciliation",
    "weapon control, gun ownership, safe storage of firearms, bearing arms, hunting rifles, firearm licences",
    "drug policy, sobriety, addiction treatment, harm reduction, freedom from drugs, alcohol moderation",
    "police oversight, lawful arrest, limits of force, fair policing, body cameras, public trust in police",
    "labour unions, collective bargaining, the right to strike, workers' protection, safe factories, job security",
    "beauty, aesthetics, good design, elegance, fashion, art appreciation",
]
_VERBS = "protect, respect, promote, uphold, support, ensure, defend, strengthen, value, care for, preserve, honour"
_WHO = (
    "children, employees, citizens, patients, students, customers, neighbours, families, strangers, users, voters, "
    "the elderly, colleagues, young people, residents, travellers, victims, parents, women, workers"
)
_WHERE = "at work, at home, online, in public, in school, in the city, in wartime, in daily life, abroad, in the media"
VERBS, WHO, WHERE = (text.split(", ") for text in (_VERBS, _WHO, _WHERE))


def statements(n: int, themes: int = len(THEMES), seed: int = 0) -> tuple[list[str], list[int]]:
    """Distinct statements and the theme of each, themes equally often but for chance."""
    rng = np.random.default_rng(seed)
    phrases = [text.split(", ") for text in THEMES[:themes]]
    found: dict[str, int] = {}
    while len(found) < n:
        theme = int(rng.integers(themes))
        found.setdefault(_statement(rng, phrases[theme]), theme)
    return list(found), list(found.values())


def _statement(rng: np.random.Generator, phrases: list[str]) -> str:
    one, other = (phrases[i] for i in rng.permutation(len(phrases))[:2])
    about = f"{one} and {other}" if rng.random() < 0.6 else one
    forms = [f"Right to {about}", f"Duty to {rng.choice(VERBS)} {about}", about[0].upper() + about[1:]]
    who = f" {rng.choice(['of', 'for'])} {rng.choice(WHO)}" if rng.random() < 0.3 else ""
    where = f" {rng.choice(WHERE)}" if rng.random() < 0.1 else ""
    return f"{forms[rng.integers(3)]}{who}{where}"
