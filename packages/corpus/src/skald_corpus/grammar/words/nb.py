"""Norwegian Bokmål words, in the usual moderate style with three genders ("ei bok", "boka")."""

from __future__ import annotations

from skald_corpus.grammar.lexicon import Lexicon, Noun, Verb, phrases, rows

# concept, gender, pronoun, singular, definite, plural, definite plural
_NOUNS = rows("""
man       en  he   mann        mannen        menn         mennene
woman     en  she  kvinne      kvinnen       kvinner      kvinnene
dog       en  den  hund        hunden        hunder       hundene
child     et  it   barn        barnet        barn         barna
house     et  it   hus         huset         hus          husene
boy       en  he   gutt        gutten        gutter       guttene
girl      ei  she  jente       jenta         jenter       jentene
cat       en  den  katt        katten        katter       kattene
book      ei  den  bok         boka          bøker        bøkene
mother    en  she  mor         moren         mødre        mødrene
father    en  he   far         faren         fedre        fedrene
horse     en  den  hest        hesten        hester       hestene
ball      en  den  ball        ballen        baller       ballene
bird      en  den  fugl        fuglen        fugler       fuglene
king      en  he   konge       kongen        konger       kongene
letter    et  it   brev        brevet        brev         brevene
table     et  it   bord        bordet        bord         bordene
queen     en  she  dronning    dronningen    dronninger   dronningene
boat      en  den  båt         båten         båter        båtene
car       en  den  bil         bilen         biler        bilene
cow       ei  den  ku          kua           kuer         kuene
sister    en  she  søster      søsteren      søstre       søstrene
brother   en  he   bror        broren        brødre       brødrene
apple     et  it   eple        eplet         epler        eplene
lamp      en  den  lampe       lampen        lamper       lampene
flower    en  den  blomst      blomsten      blomster     blomstene
farmer    en  he   bonde       bonden        bønder       bøndene
stone     en  den  stein       steinen       steiner      steinene
wolf      en  den  ulv         ulven         ulver        ulvene
key       en  den  nøkkel      nøkkelen      nøkler       nøklene
cup       en  den  kopp        koppen        kopper       koppene
door      ei  den  dør         døra          dører        dørene
prince    en  he   prins       prinsen       prinser      prinsene
window    et  it   vindu       vinduet       vinduer      vinduene
ring      en  den  ring        ringen        ringer       ringene
pig       en  den  gris        grisen        griser       grisene
ship      et  it   skip        skipet        skip         skipene
princess  en  she  prinsesse   prinsessen    prinsesser   prinsessene
bed       ei  den  seng        senga         senger       sengene
bear      en  den  bjørn       bjørnen       bjørner      bjørnene
hat       en  den  hatt        hatten        hatter       hattene
mouse     ei  den  mus         musa          mus          musene
knife     en  den  kniv        kniven        kniver       knivene
goat      ei  den  geit        geita         geiter       geitene
glass     et  it   glass       glasset       glass        glassene
bag       ei  den  veske       veska         vesker       veskene
lamb      et  it   lam         lammet        lam          lammene
egg       et  it   egg         egget         egg          eggene
jacket    ei  den  jakke       jakka         jakker       jakkene
bicycle   en  den  sykkel      sykkelen      sykler       syklene
tree      et  it   tre         treet         trær         trærne
box       en  den  kasse       kassen        kasser       kassene
clock     ei  den  klokke      klokka        klokker      klokkene
chair     en  den  stol        stolen        stoler       stolene
""")

# concept, masculine, neuter, definite singular, plural, feminine
_ADJECTIVES = rows("""
small      liten   lite     lille   små     lita
big        stor    stort    store   store   stor
old        gammel  gammelt  gamle   gamle   gammel
young      ung     ungt     unge    unge    ung
beautiful  vakker  vakkert  vakre   vakre   vakker
white      hvit    hvitt    hvite   hvite   hvit
black      svart   svart    svarte  svarte  svart
brown      brun    brunt    brune   brune   brun
new        ny      nytt     nye     nye     ny
red        rød     rødt     røde    røde    rød
happy      glad    glad     glade   glade   glad
tired      trett   trett    trette  trette  trett
hungry     sulten  sultent  sultne  sultne  sulten
strong     sterk   sterkt   sterke  sterke  sterk
heavy      tung    tungt    tunge   tunge   tung
green      grønn   grønt    grønne  grønne  grønn
""")

# concept, present, past, infinitive
_VERBS = rows("""
see      ser        så          se
find     finner     fant        finne
carry    bærer      bar         bære
meet     møter      møtte       møte
buy      kjøper     kjøpte      kjøpe
hear     hører      hørte       høre
fetch    henter     hentet      hente
wash     vasker     vasket      vaske
watch    betrakter  betraktet   betrakte
forget   glemmer    glemte      glemme
visit    besøker    besøkte     besøke
paint    maler      malte       male
hide     gjemmer    gjemte      gjemme
open     åpner      åpnet       åpne
chase    forfølger  forfulgte   forfølge
lose     mister     mistet      miste
steal    stjeler    stjal       stjele
sell     selger     solgte      selge
pull     trekker    trakk       trekke
kiss     kysser     kysset      kysse
protect  beskytter  beskyttet   beskytte
lift     løfter     løftet      løfte
bite     biter      bet         bite
build    bygger     bygde       bygge
""")

_ATTITUDES = rows("""
say    sier  sa      si
think  tror  trodde  tro
ask    spør  spurte  spørre
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
    tag="nb",
    nouns={k: Noun(g, p, s, m, d, dm) for k, (g, p, s, d, m, dm) in _NOUNS.items()},
    adjectives=_ADJECTIVES,
    verbs={key: _verb(forms) for key, forms in _VERBS.items()},
    auxiliaries={key: _verb(forms) for key, forms in _AUXILIARIES.items()},
    attitudes={key: _verb(forms) for key, forms in _ATTITUDES.items()},
    links={"say": "at", "think": "at", "ask": "om", "because": "fordi"},
    places=phrases("""
        garden   i hagen
        house    i huset
        street   i gata
        forest   i skogen
        market   på torget
        kitchen  på kjøkkenet
        beach    på stranda
        city     i byen
        river    ved elva
        village  i landsbyen
        church   ved kirken
        castle   foran slottet
    """),
    times=phrases("""
        today      i dag
        yesterday  i går
        now        nå
        morning    om morgenen
        evening    om kvelden
        every_day  hver dag
        last_week  i forrige uke
        night      om natten
        summer     om sommeren
    """),
    pronouns={"he": ("han", "ham"), "she": ("hun", "henne"), "den": ("den", "den"),
              "it": ("det", "det"), "they": ("de", "dem")},
    words=phrases("""
        not    ikke
        often  ofte
        never  aldri
        two    to
        three  tre
        many   mange
        yes    ja
        no     nei
        en     en
        ei     ei
        et     et
        there  det
    """),
    homographs=frozenset({"ball", "egg", "father", "ring", "table"}),
)  # fmt: skip
