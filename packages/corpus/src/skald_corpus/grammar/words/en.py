"""English words."""

from __future__ import annotations

from skald_corpus.grammar.lexicon import Lexicon, Noun, Verb, phrases, rows

# concept, pronoun (- where usage wavers), singular, plural
_NOUNS = rows("""
man       he   man       men
woman     she  woman     women
dog       it   dog       dogs
child     -    child     children
house     it   house     houses
boy       he   boy       boys
girl      she  girl      girls
cat       it   cat       cats
book      it   book      books
mother    she  mother    mothers
father    he   father    fathers
horse     it   horse     horses
ball      it   ball      balls
bird      it   bird      birds
king      he   king      kings
letter    it   letter    letters
table     it   table     tables
queen     she  queen     queens
boat      it   boat      boats
car       it   car       cars
cow       it   cow       cows
sister    she  sister    sisters
brother   he   brother   brothers
apple     it   apple     apples
lamp      it   lamp      lamps
flower    it   flower    flowers
farmer    he   farmer    farmers
stone     it   stone     stones
wolf      it   wolf      wolves
key       it   key       keys
cup       it   cup       cups
door      it   door      doors
prince    he   prince    princes
window    it   window    windows
ring      it   ring      rings
pig       it   pig       pigs
ship      it   ship      ships
princess  she  princess  princesses
bed       it   bed       beds
bear      it   bear      bears
hat       it   hat       hats
mouse     it   mouse     mice
knife     it   knife     knives
goat      it   goat      goats
glass     it   glass     glasses
bag       it   bag       bags
lamb      it   lamb      lambs
egg       it   egg       eggs
jacket    it   jacket    jackets
bicycle   it   bicycle   bicycles
tree      it   tree      trees
box       it   box       boxes
clock     it   clock     clocks
chair     it   chair     chairs
""")

_ADJECTIVES = rows("""
small      small
big        big
old        old
young      young
beautiful  beautiful
white      white
black      black
brown      brown
new        new
red        red
happy      happy
tired      tired
hungry     hungry
strong     strong
heavy      heavy
green      green
""")

# concept, present singular, past, base form
_VERBS = rows("""
see      sees      saw        see
find     finds     found      find
carry    carries   carried    carry
meet     meets     met        meet
buy      buys      bought     buy
hear     hears     heard      hear
fetch    fetches   fetched    fetch
wash     washes    washed     wash
watch    watches   watched    watch
forget   forgets   forgot     forget
visit    visits    visited    visit
paint    paints    painted    paint
hide     hides     hid        hide
open     opens     opened     open
chase    chases    chased     chase
lose     loses     lost       lose
steal    steals    stole      steal
sell     sells     sold       sell
pull     pulls     pulled     pull
kiss     kisses    kissed     kiss
protect  protects  protected  protect
lift     lifts     lifted     lift
bite     bites     bit        bite
build    builds    built      build
""")

_ATTITUDES = rows("""
say    says    said     say
think  thinks  thought  think
ask    asks    asked    ask
""")

# concept, present, present plural, past, past plural, infinitive; `do` carries negation and questions
_AUXILIARIES = rows("""
be     is    are  was    were   be
exist  is    are  was    were   be
can    can   can  could  could  can
do     does  do   did    did    do
""")


def _verb(forms: tuple[str, ...]) -> Verb:
    present, past, base = forms
    return Verb(present, base, past, past, base)


LEXICON = Lexicon(
    tag="en",
    nouns={k: Noun("", p.strip("-"), s, m) for k, (p, s, m) in _NOUNS.items()},
    adjectives=_ADJECTIVES,
    verbs={key: _verb(forms) for key, forms in _VERBS.items()},
    auxiliaries={key: Verb(*forms) for key, forms in _AUXILIARIES.items()},
    attitudes={key: _verb(forms) for key, forms in _ATTITUDES.items()},
    links={"say": "that", "think": "that", "ask": "whether", "because": "because"},
    places=phrases("""
        garden   in the garden
        house    in the house
        street   in the street
        forest   in the forest
        market   at the market
        kitchen  in the kitchen
        beach    on the beach
        city     in the city
        river    by the river
        village  in the village
        church   by the church
        castle   in front of the castle
    """),
    times=phrases("""
        today      today
        yesterday  yesterday
        now        now
        morning    in the morning
        evening    in the evening
        every_day  every day
        last_week  last week
        night      at night
        summer     in the summer
    """),
    pronouns={"he": ("he", "him"), "she": ("she", "her"), "it": ("it", "it"),
              "they": ("they", "them")},
    words=phrases("""
        not    not
        often  often
        never  never
        two    two
        three  three
        many   many
        yes    yes
        no     no
        a      a
        an     an
        the    the
        there  there
    """),
)  # fmt: skip
