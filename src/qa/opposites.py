"""Words that exclude each other: opposites, and the words of a series, such as the months."""

from __future__ import annotations

OPPOSITE_VERBS = """
rise fall; increase decrease; grow shrink; accept reject; allow forbid; permit prohibit; approve veto; win lose; open
close; begin end; start stop; enter leave; arrive depart; buy sell; borrow lend; import export; raise lower; gain
lose; attack defend; support oppose; praise criticize; love hate; like dislike; remember forget; include exclude;
strengthen weaken; improve worsen; confirm deny; admit deny; agree disagree; succeed fail; appear disappear; build
destroy; create abolish; attract repel; connect separate; unite divide; encourage discourage; expand contract; extend
shorten; free imprison; hire dismiss; join quit; live die; lengthen shorten; lock unlock; marry divorce; obey disobey;
pass fail; protect endanger; push pull; reveal conceal; show hide; reward punish; save waste; send receive; teach
learn; trust distrust; accelerate slow; advance retreat; ascend descend; assemble dismantle; ban legalize; condemn
condone; defend abandon; deny acknowledge; discover overlook; emerge vanish; favor oppose; follow precede; give take;
heat cool; help hinder; ignore notice; keep discard; load unload; maximize minimize; own lack; pay owe; possess lack;
prefer avoid; preserve destroy; promote demote; prove disprove; recommend discourage; refuse accept; repair damage;
require forbid; resist yield; respect despise; retain lose; return keep; simplify complicate; speed slow; suffer
enjoy; surrender resist; survive perish; tighten loosen; understand misunderstand; widen narrow
"""
"""Pairs of lemmas; either stands for the other with the same inflection."""

OPPOSITES = """
before after; above below; more fewer; more less; most least; most fewest; first last; early late; earlier later;
earliest latest; high low; higher lower; highest lowest; large small; larger smaller; largest smallest; big small;
bigger smaller; biggest smallest; long short; longer shorter; longest shortest; old young; old new; older newer;
oldest newest; older younger; strong weak; stronger weaker; strongest weakest; fast slow; faster slower; hot cold;
hotter colder; warm cool; warmer cooler; good bad; better worse; best worst; easy difficult; easier harder; rich poor;
richer poorer; light heavy; lighter heavier; wide narrow; deep shallow; thick thin; thicker thinner; full empty;
open closed; public private; legal illegal; possible impossible; likely unlikely; male female; men women; man woman;
boys girls; father mother; husband wife; son daughter; brother sister; north south; east west; northern southern;
eastern western; northeast southwest; northwest southeast; left right; inside outside; internal external; upper lower;
top bottom; front back; day night; morning evening; always never; often rarely; frequently seldom; usually rarely;
all none; everyone nobody; everything nothing; both neither; many few; increasing decreasing; positive negative;
major minor; domestic foreign; local foreign; rural urban; modern ancient; temporary permanent; successful
unsuccessful; popular unpopular; able unable; equal unequal; similar different; same different; common rare;
dependent independent; direct indirect; formal informal; voluntary compulsory; civilian military; maximum minimum;
majority minority; victory defeat; victories defeats; winner loser; profit loss; profits losses; increase decrease;
rise fall; growth decline; success failure; supporters opponents; supporter opponent; friend enemy; friends enemies;
ally rival; allies rivals; buyer seller; buyers sellers; advantage disadvantage; advantages disadvantages; strength
weakness; strengths weaknesses; wet dry; hard soft; clean dirty; safe dangerous; cheap expensive; cheaper costlier;
true false; alive dead; guilty innocent; present absent; near far; nearest farthest; summer winter; spring autumn;
within outside; with without; ahead behind; forward backward; partly wholly; partially
entirely; quickly slowly; publicly privately; together separately; beginning end; start end; exports imports; arrival
departure; birth death; life death; war peace; offensive defensive; conservative liberal; quiet loud; bright dark;
brighter darker; tall short; taller shorter; tallest shortest; closer farther; simple complex; sufficient
insufficient; effective ineffective; accurate inaccurate; visible invisible; known unknown; annual monthly; daily
weekly; hourly daily; odd even; fresh stale; sharp blunt; strict lenient; tight loose; happy unhappy; satisfied
dissatisfied; optimistic pessimistic; at-least at-most; more-than less-than; up-to at-least
"""
"""Pairs of words as they stand; a hyphen is a blank between two words."""

MONTHS = "January February March April June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
SERIES = (
    MONTHS,
    DAYS,
    ORDINALS,
    "thousand million billion trillion".split(),
    "hours days weeks months years decades".split(),
    "day week month year decade century".split(),
    "half quarter third two-thirds three-quarters".split(),
    "twice thrice once".split(),
    "spring summer autumn winter".split(),
    "dollars euros pounds pesos yen".split(),
    "miles kilometres metres feet inches".split(),
)
"""Words of which one stands where another might."""
