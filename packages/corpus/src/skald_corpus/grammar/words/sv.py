"""Swedish words."""

from __future__ import annotations

from skald_corpus.grammar.lexicon import Lexicon, Noun, Verb, phrases, rows

# concept, gender, pronoun, singular, definite, plural, definite plural
_NOUNS = rows("""
man       en  he   man        mannen       män          männen
woman     en  she  kvinna     kvinnan      kvinnor      kvinnorna
dog       en  den  hund       hunden       hundar       hundarna
child     et  it   barn       barnet       barn         barnen
house     et  it   hus        huset        hus          husen
boy       en  he   pojke      pojken       pojkar       pojkarna
girl      en  she  flicka     flickan      flickor      flickorna
cat       en  den  katt       katten       katter       katterna
book      en  den  bok        boken        böcker       böckerna
mother    en  she  mamma      mamman       mammor       mammorna
father    en  he   pappa      pappan       pappor       papporna
horse     en  den  häst       hästen       hästar       hästarna
ball      en  den  boll       bollen       bollar       bollarna
bird      en  den  fågel      fågeln       fåglar       fåglarna
king      en  he   kung       kungen       kungar       kungarna
letter    et  it   brev       brevet       brev         breven
table     et  it   bord       bordet       bord         borden
queen     en  she  drottning  drottningen  drottningar  drottningarna
boat      en  den  båt        båten        båtar        båtarna
car       en  den  bil        bilen        bilar        bilarna
cow       en  den  ko         kon          kor          korna
sister    en  she  syster     systern      systrar      systrarna
brother   en  he   bror       brodern      bröder       bröderna
apple     et  it   äpple      äpplet       äpplen       äpplena
lamp      en  den  lampa      lampan       lampor       lamporna
flower    en  den  blomma     blomman      blommor      blommorna
farmer    en  he   bonde      bonden       bönder       bönderna
stone     en  den  sten       stenen       stenar       stenarna
wolf      en  den  varg       vargen       vargar       vargarna
key       en  den  nyckel     nyckeln      nycklar      nycklarna
cup       en  den  kopp       koppen       koppar       kopparna
door      en  den  dörr       dörren       dörrar       dörrarna
prince    en  he   prins      prinsen      prinsar      prinsarna
window    et  it   fönster    fönstret     fönster      fönstren
ring      en  den  ring       ringen       ringar       ringarna
pig       en  den  gris       grisen       grisar       grisarna
ship      et  it   skepp      skeppet      skepp        skeppen
princess  en  she  prinsessa  prinsessan   prinsessor   prinsessorna
bed       en  den  säng       sängen       sängar       sängarna
bear      en  den  björn      björnen      björnar      björnarna
hat       en  den  hatt       hatten       hattar       hattarna
mouse     en  den  mus        musen        möss         mössen
knife     en  den  kniv       kniven       knivar       knivarna
goat      en  den  get        geten        getter       getterna
glass     et  it   glas       glaset       glas         glasen
bag       en  den  väska      väskan       väskor       väskorna
lamb      et  it   lamm       lammet       lamm         lammen
egg       et  it   ägg        ägget        ägg          äggen
jacket    en  den  jacka      jackan       jackor       jackorna
bicycle   en  den  cykel      cykeln       cyklar       cyklarna
tree      et  it   träd       trädet       träd         träden
box       en  den  låda       lådan        lådor        lådorna
clock     en  den  klocka     klockan      klockor      klockorna
chair     en  den  stol       stolen       stolar       stolarna
""")

# concept, common, neuter, definite singular, plural
_ADJECTIVES = rows("""
small      liten    litet     lilla     små
big        stor     stort     stora     stora
old        gammal   gammalt   gamla     gamla
young      ung      ungt      unga      unga
beautiful  vacker   vackert   vackra    vackra
white      vit      vitt      vita      vita
black      svart    svart     svarta    svarta
brown      brun     brunt     bruna     bruna
new        ny       nytt      nya       nya
red        röd      rött      röda      röda
happy      glad     glatt     glada     glada
tired      trött    trött     trötta    trötta
hungry     hungrig  hungrigt  hungriga  hungriga
strong     stark    starkt    starka    starka
heavy      tung     tungt     tunga     tunga
green      grön     grönt     gröna     gröna
""")

# concept, present, past, infinitive
_VERBS = rows("""
see      ser        såg         se
find     hittar     hittade     hitta
carry    bär        bar         bära
meet     möter      mötte       möta
buy      köper      köpte       köpa
hear     hör        hörde       höra
fetch    hämtar     hämtade     hämta
wash     tvättar    tvättade    tvätta
watch    betraktar  betraktade  betrakta
forget   glömmer    glömde      glömma
visit    besöker    besökte     besöka
paint    målar      målade      måla
hide     gömmer     gömde       gömma
open     öppnar     öppnade     öppna
chase    jagar      jagade      jaga
lose     tappar     tappade     tappa
steal    stjäl      stal        stjäla
sell     säljer     sålde       sälja
pull     drar       drog        dra
kiss     kysser     kysste      kyssa
protect  skyddar    skyddade    skydda
lift     lyfter     lyfte       lyfta
bite     biter      bet         bita
build    bygger     byggde      bygga
""")

_ATTITUDES = rows("""
say    säger   sade     säga
think  tror    trodde   tro
ask    frågar  frågade  fråga
""")

_AUXILIARIES = rows("""
be     är     var    vara
exist  finns  fanns  finnas
can    kan    kunde  kunna
""")


def _verb(forms: tuple[str, ...]) -> Verb:
    present, past, infinitive = forms
    return Verb(present, present, past, past, infinitive)


LEXICON = Lexicon(
    tag="sv",
    nouns={k: Noun(g, p, s, m, d, dm) for k, (g, p, s, d, m, dm) in _NOUNS.items()},
    adjectives=_ADJECTIVES,
    verbs={key: _verb(forms) for key, forms in _VERBS.items()},
    auxiliaries={key: _verb(forms) for key, forms in _AUXILIARIES.items()},
    attitudes={key: _verb(forms) for key, forms in _ATTITUDES.items()},
    links={"say": "att", "think": "att", "ask": "om", "because": "eftersom"},
    places=phrases("""
        garden   i trädgården
        house    i huset
        street   på gatan
        forest   i skogen
        market   på torget
        kitchen  i köket
        beach    på stranden
        city     i staden
        river    vid floden
        village  i byn
        church   vid kyrkan
        castle   framför slottet
    """),
    times=phrases("""
        today      i dag
        yesterday  i går
        now        nu
        morning    på morgonen
        evening    på kvällen
        every_day  varje dag
        last_week  förra veckan
        night      på natten
        summer     på sommaren
    """),
    pronouns={"he": ("han", "honom"), "she": ("hon", "henne"), "den": ("den", "den"),
              "it": ("det", "det"), "they": ("de", "dem")},
    words=phrases("""
        not    inte
        often  ofta
        never  aldrig
        two    två
        three  tre
        many   många
        yes    ja
        no     nej
        en     en
        et     ett
        there  det
    """),
)  # fmt: skip
