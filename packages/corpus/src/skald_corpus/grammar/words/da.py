"""Danish words."""

from __future__ import annotations

from skald_corpus.grammar.lexicon import Lexicon, Noun, Verb, phrases, rows

# concept, gender, pronoun, singular, definite, plural, definite plural
_NOUNS = rows("""
man       en  he   mand       manden       mænd         mændene
woman     en  she  kvinde     kvinden      kvinder      kvinderne
dog       en  den  hund       hunden       hunde        hundene
child     et  it   barn       barnet       børn         børnene
house     et  it   hus        huset        huse         husene
boy       en  he   dreng      drengen      drenge       drengene
girl      en  she  pige       pigen        piger        pigerne
cat       en  den  kat        katten       katte        kattene
book      en  den  bog        bogen        bøger        bøgerne
mother    en  she  mor        moren        mødre        mødrene
father    en  he   far        faren        fædre        fædrene
horse     en  den  hest       hesten       heste        hestene
ball      en  den  bold       bolden       bolde        boldene
bird      en  den  fugl       fuglen       fugle        fuglene
king      en  he   konge      kongen       konger       kongerne
letter    et  it   brev       brevet       breve        brevene
table     et  it   bord       bordet       borde        bordene
queen     en  she  dronning   dronningen   dronninger   dronningerne
boat      en  den  båd        båden        både         bådene
car       en  den  bil        bilen        biler        bilerne
cow       en  den  ko         koen         køer         køerne
sister    en  she  søster     søsteren     søstre       søstrene
brother   en  he   bror       broren       brødre       brødrene
apple     et  it   æble       æblet        æbler        æblerne
lamp      en  den  lampe      lampen       lamper       lamperne
flower    en  den  blomst     blomsten     blomster     blomsterne
farmer    en  he   bonde      bonden       bønder       bønderne
stone     en  den  sten       stenen       sten         stenene
wolf      en  den  ulv        ulven        ulve         ulvene
key       en  den  nøgle      nøglen       nøgler       nøglerne
cup       en  den  kop        koppen       kopper       kopperne
door      en  den  dør        døren        døre         dørene
prince    en  he   prins      prinsen      prinser      prinserne
window    et  it   vindue     vinduet      vinduer      vinduerne
ring      en  den  ring       ringen       ringe        ringene
pig       en  den  gris       grisen       grise        grisene
ship      et  it   skib       skibet       skibe        skibene
princess  en  she  prinsesse  prinsessen   prinsesser   prinsesserne
bed       en  den  seng       sengen       senge        sengene
bear      en  den  bjørn      bjørnen      bjørne       bjørnene
hat       en  den  hat        hatten       hatte        hattene
mouse     en  den  mus        musen        mus          musene
knife     en  den  kniv       kniven       knive        knivene
goat      en  den  ged        geden        geder        gederne
glass     et  it   glas       glasset      glas         glassene
bag       en  den  taske      tasken       tasker       taskerne
lamb      et  it   lam        lammet       lam          lammene
egg       et  it   æg         ægget        æg           æggene
jacket    en  den  jakke      jakken       jakker       jakkerne
bicycle   en  den  cykel      cyklen       cykler       cyklerne
tree      et  it   træ        træet        træer        træerne
box       en  den  kasse      kassen       kasser       kasserne
clock     et  it   ur         uret         ure          urene
chair     en  den  stol       stolen       stole        stolene
""")

# concept, common, neuter, definite singular, plural
_ADJECTIVES = rows("""
small      lille   lille    lille    små
big        stor    stort    store    store
old        gammel  gammelt  gamle    gamle
young      ung     ungt     unge     unge
beautiful  smuk    smukt    smukke   smukke
white      hvid    hvidt    hvide    hvide
black      sort    sort     sorte    sorte
brown      brun    brunt    brune    brune
new        ny      nyt      nye      nye
red        rød     rødt     røde     røde
happy      glad    glad     glade    glade
tired      træt    træt     trætte   trætte
hungry     sulten  sultent  sultne   sultne
strong     stærk   stærkt   stærke   stærke
heavy      tung    tungt    tunge    tunge
green      grøn    grønt    grønne   grønne
""")

# concept, present, past, infinitive
_VERBS = rows("""
see      ser        så          se
find     finder     fandt       finde
carry    bærer      bar         bære
meet     møder      mødte       møde
buy      køber      købte       købe
hear     hører      hørte       høre
fetch    henter     hentede     hente
wash     vasker     vaskede     vaske
watch    betragter  betragtede  betragte
forget   glemmer    glemte      glemme
visit    besøger    besøgte     besøge
paint    maler      malede      male
hide     skjuler    skjulte     skjule
open     åbner      åbnede      åbne
chase    forfølger  forfulgte   forfølge
lose     mister     mistede     miste
steal    stjæler    stjal       stjæle
sell     sælger     solgte      sælge
pull     trækker    trak        trække
kiss     kysser     kyssede     kysse
protect  beskytter  beskyttede  beskytte
lift     løfter     løftede     løfte
bite     bider      bed         bide
build    bygger     byggede     bygge
""")

_ATTITUDES = rows("""
say    siger    sagde    sige
think  tror     troede   tro
ask    spørger  spurgte  spørge
""")

_AUXILIARIES = rows("""
be     er   var    være
exist  er   var    være
can    kan  kunne  kunne
""")


def _verb(forms: tuple[str, ...]) -> Verb:
    present, past, infinitive = forms
    return Verb(present, present, past, past, infinitive)


LEXICON = Lexicon(
    tag="da",
    nouns={k: Noun(g, p, s, m, d, dm) for k, (g, p, s, d, m, dm) in _NOUNS.items()},
    adjectives=_ADJECTIVES,
    verbs={key: _verb(forms) for key, forms in _VERBS.items()},
    auxiliaries={key: _verb(forms) for key, forms in _AUXILIARIES.items()},
    attitudes={key: _verb(forms) for key, forms in _ATTITUDES.items()},
    links={"say": "at", "think": "at", "ask": "om", "because": "fordi"},
    places=phrases("""
        garden   i haven
        house    i huset
        street   på gaden
        forest   i skoven
        market   på markedet
        kitchen  i køkkenet
        beach    på stranden
        city     i byen
        river    ved floden
        village  i landsbyen
        church   ved kirken
        castle   foran slottet
    """),
    times=phrases("""
        today      i dag
        yesterday  i går
        now        nu
        morning    om morgenen
        evening    om aftenen
        every_day  hver dag
        last_week  i sidste uge
        night      om natten
        summer     om sommeren
    """),
    pronouns={"he": ("han", "ham"), "she": ("hun", "hende"), "den": ("den", "den"),
              "it": ("det", "det"), "they": ("de", "dem")},
    words=phrases("""
        not    ikke
        often  ofte
        never  aldrig
        two    to
        three  tre
        many   mange
        yes    ja
        no     nej
        en     en
        et     et
        there  der
    """),
    homographs=frozenset({"clock", "egg", "key", "ring"}),
)  # fmt: skip
