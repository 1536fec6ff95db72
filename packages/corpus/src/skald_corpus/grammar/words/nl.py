"""Dutch words."""

from __future__ import annotations

from skald_corpus.grammar.lexicon import Lexicon, Noun, Verb, phrases, rows

# concept, article, pronoun (- where usage wavers), singular, plural
_NOUNS = rows("""
man       de   he   man        mannen
woman     de   she  vrouw      vrouwen
dog       de   he   hond       honden
child     het  it   kind       kinderen
house     het  it   huis       huizen
boy       de   he   jongen     jongens
girl      het  -    meisje     meisjes
cat       de   -    kat        katten
book      het  it   boek       boeken
mother    de   she  moeder     moeders
father    de   he   vader      vaders
horse     het  it   paard      paarden
ball      de   he   bal        ballen
bird      de   he   vogel      vogels
king      de   he   koning     koningen
letter    de   he   brief      brieven
table     de   he   tafel      tafels
queen     de   she  koningin   koninginnen
boat      de   he   boot       boten
car       de   he   auto       auto's
cow       de   she  koe        koeien
sister    de   she  zus        zussen
brother   de   he   broer      broers
apple     de   he   appel      appels
lamp      de   he   lamp       lampen
flower    de   he   bloem      bloemen
farmer    de   he   boer       boeren
stone     de   he   steen      stenen
wolf      de   he   wolf       wolven
key       de   he   sleutel    sleutels
cup       de   he   kop        koppen
door      de   he   deur       deuren
prince    de   he   prins      prinsen
window    het  it   raam       ramen
ring      de   he   ring       ringen
pig       het  it   varken     varkens
ship      het  it   schip      schepen
princess  de   she  prinses    prinsessen
bed       het  it   bed        bedden
bear      de   he   beer       beren
hat       de   he   hoed       hoeden
mouse     de   -    muis       muizen
knife     het  it   mes        messen
goat      de   -    geit       geiten
glass     het  it   glas       glazen
bag       de   he   tas        tassen
lamb      het  it   lam        lammeren
egg       het  it   ei         eieren
jacket    de   he   jas        jassen
bicycle   de   he   fiets      fietsen
tree      de   he   boom       bomen
box       de   he   doos       dozen
clock     de   he   klok       klokken
chair     de   he   stoel      stoelen
""")

# concept, bare form, form with -e
_ADJECTIVES = rows("""
small      klein     kleine
big        groot     grote
old        oud       oude
young      jong      jonge
beautiful  mooi      mooie
white      wit       witte
black      zwart     zwarte
brown      bruin     bruine
new        nieuw     nieuwe
red        rood      rode
happy      blij      blije
tired      vermoeid  vermoeide
hungry     hongerig  hongerige
strong     sterk     sterke
heavy      zwaar     zware
green      groen     groene
""")

# concept, present singular, present plural, past singular, past plural, infinitive
_VERBS = rows("""
see      ziet         zien          zag           zagen          zien
find     vindt        vinden        vond          vonden         vinden
carry    draagt       dragen        droeg         droegen        dragen
meet     ontmoet      ontmoeten     ontmoette     ontmoetten     ontmoeten
buy      koopt        kopen         kocht         kochten        kopen
hear     hoort        horen         hoorde        hoorden        horen
fetch    haalt        halen         haalde        haalden        halen
wash     wast         wassen        waste         wasten         wassen
watch    bekijkt      bekijken      bekeek        bekeken        bekijken
forget   vergeet      vergeten      vergat        vergaten       vergeten
visit    bezoekt      bezoeken      bezocht       bezochten      bezoeken
paint    schildert    schilderen    schilderde    schilderden    schilderen
hide     verbergt     verbergen     verborg       verborgen      verbergen
open     opent        openen        opende        openden        openen
chase    achtervolgt  achtervolgen  achtervolgde  achtervolgden  achtervolgen
lose     verliest     verliezen     verloor       verloren       verliezen
steal    steelt       stelen        stal          stalen         stelen
sell     verkoopt     verkopen      verkocht      verkochten     verkopen
pull     trekt        trekken       trok          trokken        trekken
kiss     kust         kussen        kuste         kusten         kussen
protect  beschermt    beschermen    beschermde    beschermden    beschermen
lift     tilt         tillen        tilde         tilden         tillen
bite     bijt         bijten        beet          beten          bijten
build    bouwt        bouwen        bouwde        bouwden        bouwen
""")

_ATTITUDES = rows("""
say    zegt    zeggen  zei    zeiden   zeggen
think  denkt   denken  dacht  dachten  denken
ask    vraagt  vragen  vroeg  vroegen  vragen
""")

_AUXILIARIES = rows("""
be     is   zijn    was  waren   zijn
exist  is   zijn    was  waren   zijn
can    kan  kunnen  kon  konden  kunnen
""")

LEXICON = Lexicon(
    tag="nl",
    nouns={k: Noun(g, p.strip("-"), s, m) for k, (g, p, s, m) in _NOUNS.items()},
    adjectives=_ADJECTIVES,
    verbs={key: Verb(*forms) for key, forms in _VERBS.items()},
    auxiliaries={key: Verb(*forms) for key, forms in _AUXILIARIES.items()},
    attitudes={key: Verb(*forms) for key, forms in _ATTITUDES.items()},
    links={"say": "dat", "think": "dat", "ask": "of", "because": "omdat"},
    places=phrases("""
        garden   in de tuin
        house    in het huis
        street   op straat
        forest   in het bos
        market   op de markt
        kitchen  in de keuken
        beach    op het strand
        city     in de stad
        river    bij de rivier
        village  in het dorp
        church   bij de kerk
        castle   voor het kasteel
    """),
    times=phrases("""
        today      vandaag
        yesterday  gisteren
        now        nu
        morning    in de ochtend
        evening    in de avond
        every_day  elke dag
        last_week  vorige week
        night      in de nacht
        summer     in de zomer
    """),
    pronouns={"he": ("hij", "hem"), "she": ("ze", "haar"), "it": ("het", "het"),
              "they": ("ze", "ze")},
    words=phrases("""
        not    niet
        often  vaak
        never  nooit
        two    twee
        three  drie
        many   veel
        yes    ja
        no     nee
        a      een
        there  er
    """),
    homographs=frozenset({"apple", "ball", "boy", "stone"}),
)  # fmt: skip
