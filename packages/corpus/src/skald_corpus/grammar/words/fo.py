"""Faroese words: nominative and accusative, all that the grammar produces."""

from __future__ import annotations

from skald_corpus.grammar.lexicon import Lexicon, Verb, determiner, noun, phrases, rows, strong_weak

# concept, gender, then in the singular nominative, accusative: bare, definite
_SINGULAR = rows("""
man       m  maður      maðurin     mann       mannin
woman     f  kvinna     kvinnan     kvinnu     kvinnuna
dog       m  hundur     hundurin    hund       hundin
child     n  barn       barnið      barn       barnið
house     n  hús        húsið       hús        húsið
boy       m  drongur    drongurin   drong      drongin
girl      f  genta      gentan      gentu      gentuna
cat       f  ketta      kettan      kettu      kettuna
book      f  bók        bókin       bók        bókina
mother    f  mamma      mamman      mammu      mammuna
father    m  pápi       pápin       pápa       pápan
horse     m  hestur     hesturin    hest       hestin
ball      m  bóltur     bólturin    bólt       bóltin
bird      m  fuglur     fuglurin    fugl       fuglin
king      m  kongur     kongurin    kong       kongin
letter    n  bræv       brævið      bræv       brævið
table     n  borð       borðið      borð       borðið
queen     f  drotning   drotningin  drotning   drotningina
boat      m  bátur      báturin     bát        bátin
car       m  bilur      bilurin     bil        bilin
cow       f  kúgv       kúgvin      kúgv       kúnna
sister    f  systir     systirin    systur     systrina
brother   m  beiggi     beiggin     beiggja    beiggjan
apple     n  súrepli    súreplið    súrepli    súreplið
lamp      f  lampa      lampan      lampu      lampuna
flower    f  blóma      blóman      blómu      blómuna
farmer    m  bóndi      bóndin      bónda      bóndan
stone     m  steinur    steinurin   stein      steinin
wolf      m  úlvur      úlvurin     úlv        úlvin
key       m  lykil      lykilin     lykil      lykilin
cup       m  koppur     koppurin    kopp       koppin
door      f  hurð       hurðin      hurð       hurðina
prince    m  prinsur    prinsurin   prins      prinsin
window    n  vindeyga   vindeygað   vindeyga   vindeygað
ring      m  ringur     ringurin    ring       ringin
pig       n  svín       svínið      svín       svínið
ship      n  skip       skipið      skip       skipið
princess  f  prinsessa  prinsessan  prinsessu  prinsessuna
bed       f  song       songin      song       songina
bear      f  bjørn      bjørnin     bjørn      bjørnina
hat       m  hattur     hatturin    hatt       hattin
mouse     f  mús        músin       mús        músina
knife     m  knívur     knívurin    knív       knívin
goat      f  geit       geitin      geit       geitina
glass     n  glas       glasið      glas       glasið
bag       f  taska      taskan      tasku      taskuna
lamb      n  lamb       lambið      lamb       lambið
egg       n  egg        eggið       egg        eggið
jacket    m  jakki      jakkin      jakka      jakkan
bicycle   f  súkkla     súkklan     súkklu     súkkluna
tree      n  træ        træið       træ        træið
box       m  kassi      kassin      kassa      kassan
clock     f  klokka     klokkan     klokku     klokkuna
chair     m  stólur     stólurin    stól       stólin
""")

# concept, then in the plural nominative, accusative: bare, definite
_PLURAL = rows("""
man       menn        menninir       menn        menninar
woman     kvinnur     kvinnurnar     kvinnur     kvinnurnar
dog       hundar      hundarnir      hundar      hundarnar
child     børn        børnini        børn        børnini
house     hús         húsini         hús         húsini
boy       dreingir    dreingirnir    dreingir    dreingirnar
girl      gentur      genturnar      gentur      genturnar
cat       kettur      ketturnar      kettur      ketturnar
book      bøkur       bøkurnar       bøkur       bøkurnar
mother    mammur      mammurnar      mammur      mammurnar
father    pápar       páparnir       pápar       páparnar
horse     hestar      hestarnir      hestar      hestarnar
ball      bóltar      bóltarnir      bóltar      bóltarnar
bird      fuglar      fuglarnir      fuglar      fuglarnar
king      kongar      kongarnir      kongar      kongarnar
letter    brøv        brøvini        brøv        brøvini
table     borð        borðini        borð        borðini
queen     drotningar  drotningarnar  drotningar  drotningarnar
boat      bátar       bátarnir       bátar       bátarnar
car       bilar       bilarnir       bilar       bilarnar
cow       kýr         kýrnar         kýr         kýrnar
sister    systrar     systrarnar     systrar     systrarnar
brother   beiggjar    beiggjarnir    beiggjar    beiggjarnar
apple     súreplir    súreplini      súreplir    súreplini
lamp      lampur      lampurnar      lampur      lampurnar
flower    blómur      blómurnar      blómur      blómurnar
farmer    bøndur      bøndurnir      bøndur      bøndurnar
stone     steinar     steinarnir     steinar     steinarnar
wolf      úlvar       úlvarnir       úlvar       úlvarnar
key       lyklar      lyklarnir      lyklar      lyklarnar
cup       koppar      kopparnir      koppar      kopparnar
door      hurðar      hurðarnar      hurðar      hurðarnar
prince    prinsar     prinsarnir     prinsar     prinsarnar
window    vindeygu    vindeyguni     vindeygu    vindeyguni
ring      ringar      ringarnir      ringar      ringarnar
pig       svín        svínini        svín        svínini
ship      skip        skipini        skip        skipini
princess  prinsessur  prinsessurnar  prinsessur  prinsessurnar
bed       seingir     seingirnar     seingir     seingirnar
bear      bjarnir     bjarnirnar     bjarnir     bjarnirnar
hat       hattar      hattarnir      hattar      hattarnar
mouse     mýs         mýsnar         mýs         mýsnar
knife     knívar      knívarnir      knívar      knívarnar
goat      geitir      geitirnar      geitir      geitirnar
glass     gløs        gløsini        gløs        gløsini
bag       taskur      taskurnar      taskur      taskurnar
lamb      lomb        lombini        lomb        lombini
egg       egg         eggini         egg         eggini
jacket    jakkar      jakkarnir      jakkar      jakkarnar
bicycle   súkklur     súkklurnar     súkklur     súkklurnar
tree      trø         trøini         trø         trøini
box       kassar      kassarnir      kassar      kassarnar
clock     klokkur     klokkurnar     klokkur     klokkurnar
chair     stólar      stólarnir      stólar      stólarnar
""")

# concept, strong singular: nominative m f n, accusative m f (n as nominative)
_STRONG_SINGULAR = rows("""
small      lítil     lítil   lítið   lítlan    lítla
big        stórur    stór    stórt   stóran    stóra
old        gamal     gomul   gamalt  gamlan    gamla
young      ungur     ung     ungt    ungan     unga
beautiful  vakur     vøkur   vakurt  vakran    vakra
white      hvítur    hvít    hvítt   hvítan    hvíta
black      svartur   svørt   svart   svartan   svarta
brown      brúnur    brún    brúnt   brúnan    brúna
new        nýggjur   nýggj   nýtt    nýggjan   nýggja
red        reyður    reyð    reytt   reyðan    reyða
happy      glaður    glað    glatt   glaðan    glaða
tired      troyttur  troytt  troytt  troyttan  troytta
hungry     svangur   svong   svangt  svangan   svanga
strong     sterkur   sterk   sterkt  sterkan   sterka
heavy      tungur    tung    tungt   tungan    tunga
green      grønur    grøn    grønt   grønan    grøna
""")

# concept, strong plural: nominative m f n, accusative m (f n as nominative); weak -i -a -u
_STRONG_PLURAL_AND_WEAK = rows("""
small      lítlir    lítlar    lítil   lítlar    lítli    lítla    lítlu
big        stórir    stórar    stór    stórar    stóri    stóra    stóru
old        gamlir    gamlar    gomul   gamlar    gamli    gamla    gomlu
young      ungir     ungar     ung     ungar     ungi     unga     ungu
beautiful  vakrir    vakrar    vøkur   vakrar    vakri    vakra    vøkru
white      hvítir    hvítar    hvít    hvítar    hvíti    hvíta    hvítu
black      svartir   svartar   svørt   svartar   svarti   svarta   svørtu
brown      brúnir    brúnar    brún    brúnar    brúni    brúna    brúnu
new        nýggir    nýggjar   nýggj   nýggjar   nýggi    nýggja   nýggju
red        reyðir    reyðar    reyð    reyðar    reyði    reyða    reyðu
happy      glaðir    glaðar    glað    glaðar    glaði    glaða    glaðu
tired      troyttir  troyttar  troytt  troyttar  troytti  troytta  troyttu
hungry     svangir   svangar   svong   svangar   svangi   svanga   svongu
strong     sterkir   sterkar   sterk   sterkar   sterki   sterka   sterku
heavy      tungir    tungar    tung    tungar    tungi    tunga    tungu
green      grønir    grønar    grøn    grønar    grøni    grøna    grønu
""")

# concept, present, present plural, past, past plural, infinitive; all take the accusative. Faroese
# "lyfta" wavers between cases, so what is lifted elsewhere is taken here ("taka").
_VERBS = rows("""
see      sær      síggja  sá        sóu       síggja
find     finnur   finna   fann      funnu     finna
carry    ber      bera    bar       bóru      bera
meet     hittir   hitta   hitti     hittu     hitta
buy      keypir   keypa   keypti    keyptu    keypa
hear     hoyrir   hoyra   hoyrdi    hoyrdu    hoyra
fetch    heintar  heinta  heintaði  heintaðu  heinta
wash     vaskar   vaska   vaskaði   vaskaðu   vaska
watch    skoðar   skoða   skoðaði   skoðaðu   skoða
forget   gloymir  gloyma  gloymdi   gloymdu   gloyma
visit    vitjar   vitja   vitjaði   vitjaðu   vitja
paint    málar    mála    málaði    málaðu    mála
hide     goymir   goyma   goymdi    goymdu    goyma
open     opnar    opna    opnaði    opnaðu    opna
chase    eltir    elta    elti      eltu      elta
lose     missir   missa   misti     mistu     missa
steal    stjelur  stjala  stjól     stjólu    stjala
sell     selur    selja   seldi     seldu     selja
pull     dregur   draga   dró       drógu     draga
kiss     kyssir   kyssa   kysti     kystu     kyssa
protect  verndar  vernda  verndaði  verndaðu  vernda
lift     tekur    taka    tók       tóku      taka
bite     bítur    bíta    beit      bitu      bíta
build    byggir   byggja  bygdi     bygdu     byggja
""")

_ATTITUDES = rows("""
say    sigur   siga    segði   søgdu   siga
think  heldur  halda   helt    hildu   halda
ask    spyr    spyrja  spurdi  spurdu  spyrja
""")

_AUXILIARIES = rows("""
be     er    eru    var    vóru   vera
exist  er    eru    var    vóru   vera
can    kann  kunnu  kundi  kundu  kunna
""")


def _adjective(concept: str) -> tuple[str, ...]:
    masculine, feminine, neuter, him, her = _STRONG_SINGULAR[concept]
    they_m, they_f, they_n, them, *weak = _STRONG_PLURAL_AND_WEAK[concept]
    return strong_weak(
        singular=((masculine, feminine, neuter), (him, her, neuter)),
        plural=((they_m, they_f, they_n), (them, they_f, they_n)),
        weak=weak,
    )


LEXICON = Lexicon(
    tag="fo",
    nouns={k: noun(g, rest, _PLURAL[k]) for k, (g, *rest) in _SINGULAR.items()},
    adjectives={k: _adjective(k) for k in _STRONG_SINGULAR},
    verbs={key: Verb(*forms) for key, forms in _VERBS.items()},
    auxiliaries={key: Verb(*forms) for key, forms in _AUXILIARIES.items()},
    attitudes={key: Verb(*forms) for key, forms in _ATTITUDES.items()},
    links={"say": "at", "think": "at", "ask": "um", "because": "av tí at"},
    places=phrases("""
        garden   í garðinum
        house    í húsinum
        street   á gøtuni
        forest   í skóginum
        market   á torginum
        kitchen  í køkinum
        beach    á strondini
        city     í býnum
        river    í ánni
        village  í bygdini
        church   í kirkjuni
        castle   á slottinum
    """),
    times=phrases("""
        today      í dag
        yesterday  í gjár
        now        nú
        morning    um morgunin
        evening    um kvøldið
        every_day  hvønn dag
        last_week  seinastu vikuna
        night      um náttina
        summer     um summarið
    """),
    pronouns={
        "he": ("hann", "hann"), "she": ("hon", "hana"), "it": ("tað", "tað"),
        "they_m": ("teir", "teir"), "they_f": ("tær", "tær"), "they_n": ("tey", "tey"),
    },
    words=phrases("""
        not    ikki
        often  ofta
        never  ongantíð
        yes    ja
        no     nei
        there  tað
    """),
    determiners={
        "a": determiner("ein ein eitt", "ein eina eitt", number="sg"),
        "the": strong_weak(
            singular=(("tann", "tann", "tað"), ("tann", "ta", "tað")),
            plural=(("teir", "tær", "tey"), ("teir", "tær", "tey")),
        ),
        "two": determiner("tveir tvær tvey", "tveir tvær tvey"),
        "three": determiner("tríggir tríggjar trý", "tríggjar tríggjar trý"),
        "many": determiner("nógvir nógvar nógv", "nógvar nógvar nógv"),
    },
    homographs=frozenset({"egg"}),
)  # fmt: skip
