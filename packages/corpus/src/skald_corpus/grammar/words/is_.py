"""Icelandic words. Of forms that waver, the first that BÍN gives."""

from __future__ import annotations

from skald_corpus.grammar.lexicon import Lexicon, Verb, determiner, noun, phrases, rows, strong_weak

# concept, gender, then in the singular nominative, accusative, dative: bare, definite
_SINGULAR = rows("""
man       m  maður      maðurinn     mann        manninn       manni       manninum
woman     f  kona       konan        konu        konuna        konu        konunni
dog       m  hundur     hundurinn    hund        hundinn       hundi       hundinum
child     n  barn       barnið       barn        barnið        barni       barninu
house     n  hús        húsið        hús         húsið         húsi        húsinu
boy       m  strákur    strákurinn   strák       strákinn      strák       stráknum
girl      f  stelpa     stelpan      stelpu      stelpuna      stelpu      stelpunni
cat       m  köttur     kötturinn    kött        köttinn       ketti       kettinum
book      f  bók        bókin        bók         bókina        bók         bókinni
mother    f  mamma      mamman       mömmu       mömmuna       mömmu       mömmunni
father    m  pabbi      pabbinn      pabba       pabbann       pabba       pabbanum
horse     m  hestur     hesturinn    hest        hestinn       hesti       hestinum
ball      m  bolti      boltinn      bolta       boltann       bolta       boltanum
bird      m  fugl       fuglinn      fugl        fuglinn       fugli       fuglinum
king      m  konungur   konungurinn  konung      konunginn     konungi     konunginum
letter    n  bréf       bréfið       bréf        bréfið        bréfi       bréfinu
table     n  borð       borðið       borð        borðið        borði       borðinu
queen     f  drottning  drottningin  drottningu  drottninguna  drottningu  drottningunni
boat      m  bátur      báturinn     bát         bátinn        báti        bátnum
car       m  bíll       bíllinn      bíl         bílinn        bíl         bílnum
cow       f  kýr        kýrin        kú          kúna          kú          kúnni
sister    f  systir     systirin     systur      systurina     systur      systurinni
brother   m  bróðir     bróðirinn    bróður      bróðurinn     bróður      bróðurnum
apple     n  epli       eplið        epli        eplið         epli        eplinu
lamp      m  lampi      lampinn      lampa       lampann       lampa       lampanum
flower    n  blóm       blómið       blóm        blómið        blómi       blóminu
farmer    m  bóndi      bóndinn      bónda       bóndann       bónda       bóndanum
stone     m  steinn     steinninn    stein       steininn      steini      steininum
wolf      m  úlfur      úlfurinn     úlf         úlfinn        úlfi        úlfinum
key       m  lykill     lykillinn    lykil       lykilinn      lykli       lyklinum
cup       m  bolli      bollinn      bolla       bollann       bolla       bollanum
door      f  hurð       hurðin       hurð        hurðina       hurð        hurðinni
prince    m  prins      prinsinn     prins       prinsinn      prinsi      prinsinum
window    m  gluggi     glugginn     glugga      gluggann      glugga      glugganum
ring      m  hringur    hringurinn   hring       hringinn      hring       hringnum
pig       n  svín       svínið       svín        svínið        svíni       svíninu
ship      n  skip       skipið       skip        skipið        skipi       skipinu
princess  f  prinsessa  prinsessan   prinsessu   prinsessuna   prinsessu   prinsessunni
bed       n  rúm        rúmið        rúm         rúmið         rúmi        rúminu
bear      m  björn      björninn     björn       björninn      birni       birninum
hat       m  hattur     hatturinn    hatt        hattinn       hatti       hattinum
mouse     f  mús        músin        mús         músina        mús         músinni
knife     m  hnífur     hnífurinn    hníf        hnífinn       hníf        hnífnum
goat      f  geit       geitin       geit        geitina       geit        geitinni
glass     n  glas       glasið       glas        glasið        glasi       glasinu
bag       f  taska      taskan       tösku       töskuna       tösku       töskunni
lamb      n  lamb       lambið       lamb        lambið        lambi       lambinu
egg       n  egg        eggið        egg         eggið         eggi        egginu
jacket    m  jakki      jakkinn      jakka       jakkann       jakka       jakkanum
bicycle   n  hjól       hjólið       hjól        hjólið        hjóli       hjólinu
tree      n  tré        tréð         tré         tréð          tré         trénu
box       m  kassi      kassinn      kassa       kassann       kassa       kassanum
clock     f  klukka     klukkan      klukku      klukkuna      klukku      klukkunni
chair     m  stóll      stóllinn     stól        stólinn       stól        stólnum
""")

# concept, then in the plural nominative, accusative, dative: bare, definite
_PLURAL = rows("""
man       menn         mennirnir       menn         mennina         mönnum       mönnunum
woman     konur        konurnar        konur        konurnar        konum        konunum
dog       hundar       hundarnir       hunda        hundana         hundum       hundunum
child     börn         börnin          börn         börnin          börnum       börnunum
house     hús          húsin           hús          húsin           húsum        húsunum
boy       strákar      strákarnir      stráka       strákana        strákum      strákunum
girl      stelpur      stelpurnar      stelpur      stelpurnar      stelpum      stelpunum
cat       kettir       kettirnir       ketti        kettina         köttum       köttunum
book      bækur        bækurnar        bækur        bækurnar        bókum        bókunum
mother    mömmur       mömmurnar       mömmur       mömmurnar       mömmum       mömmunum
father    pabbar       pabbarnir       pabba        pabbana         pöbbum       pöbbunum
horse     hestar       hestarnir       hesta        hestana         hestum       hestunum
ball      boltar       boltarnir       bolta        boltana         boltum       boltunum
bird      fuglar       fuglarnir       fugla        fuglana         fuglum       fuglunum
king      konungar     konungarnir     konunga      konungana       konungum     konungunum
letter    bréf         bréfin          bréf         bréfin          bréfum       bréfunum
table     borð         borðin          borð         borðin          borðum       borðunum
queen     drottningar  drottningarnar  drottningar  drottningarnar  drottningum  drottningunum
boat      bátar        bátarnir        báta         bátana          bátum        bátunum
car       bílar        bílarnir        bíla         bílana          bílum        bílunum
cow       kýr          kýrnar          kýr          kýrnar          kúm          kúnum
sister    systur       systurnar       systur       systurnar       systrum      systrunum
brother   bræður       bræðurnir       bræður       bræðurna        bræðrum      bræðrunum
apple     epli         eplin           epli         eplin           eplum        eplunum
lamp      lampar       lamparnir       lampa        lampana         lömpum       lömpunum
flower    blóm         blómin          blóm         blómin          blómum       blómunum
farmer    bændur       bændurnir       bændur       bændurna        bændum       bændunum
stone     steinar      steinarnir      steina       steinana        steinum      steinunum
wolf      úlfar        úlfarnir        úlfa         úlfana          úlfum        úlfunum
key       lyklar       lyklarnir       lykla        lyklana         lyklum       lyklunum
cup       bollar       bollarnir       bolla        bollana         bollum       bollunum
door      hurðir       hurðirnar       hurðir       hurðirnar       hurðum       hurðunum
prince    prinsar      prinsarnir      prinsa       prinsana        prinsum      prinsunum
window    gluggar      gluggarnir      glugga       gluggana        gluggum      gluggunum
ring      hringir      hringirnir      hringi       hringina        hringjum     hringjunum
pig       svín         svínin          svín         svínin          svínum       svínunum
ship      skip         skipin          skip         skipin          skipum       skipunum
princess  prinsessur   prinsessurnar   prinsessur   prinsessurnar   prinsessum   prinsessunum
bed       rúm          rúmin           rúm          rúmin           rúmum        rúmunum
bear      birnir       birnirnir       birni        birnina         björnum      björnunum
hat       hattar       hattarnir       hatta        hattana         höttum       höttunum
mouse     mýs          mýsnar          mýs          mýsnar          músum        músunum
knife     hnífar       hnífarnir       hnífa        hnífana         hnífum       hnífunum
goat      geitur       geiturnar       geitur       geiturnar       geitum       geitunum
glass     glös         glösin          glös         glösin          glösum       glösunum
bag       töskur       töskurnar       töskur       töskurnar       töskum       töskunum
lamb      lömb         lömbin          lömb         lömbin          lömbum       lömbunum
egg       egg          eggin           egg          eggin           eggjum       eggjunum
jacket    jakkar       jakkarnir       jakka        jakkana         jökkum       jökkunum
bicycle   hjól         hjólin          hjól         hjólin          hjólum       hjólunum
tree      tré          trén            tré          trén            trjám        trjánum
box       kassar       kassarnir       kassa        kassana         kössum       kössunum
clock     klukkur      klukkurnar      klukkur      klukkurnar      klukkum      klukkunum
chair     stólar       stólarnir       stóla        stólana         stólum       stólunum
""")

# concept, strong singular: nominative m f n, accusative m f (n as nominative), dative m f n
_STRONG_SINGULAR = rows("""
small      lítill    lítil   lítið    lítinn    litla    litlum    lítilli   litlu
big        stór      stór    stórt    stóran    stóra    stórum    stórri    stóru
old        gamall    gömul   gamalt   gamlan    gamla    gömlum    gamalli   gömlu
young      ungur     ung     ungt     ungan     unga     ungum     ungri     ungu
beautiful  fallegur  falleg  fallegt  fallegan  fallega  fallegum  fallegri  fallegu
white      hvítur    hvít    hvítt    hvítan    hvíta    hvítum    hvítri    hvítu
black      svartur   svört   svart    svartan   svarta   svörtum   svartri   svörtu
brown      brúnn     brún    brúnt    brúnan    brúna    brúnum    brúnni    brúnu
new        nýr       ný      nýtt     nýjan     nýja     nýjum     nýrri     nýju
red        rauður    rauð    rautt    rauðan    rauða    rauðum    rauðri    rauðu
happy      glaður    glöð    glatt    glaðan    glaða    glöðum    glaðri    glöðu
tired      þreyttur  þreytt  þreytt   þreyttan  þreytta  þreyttum  þreyttri  þreyttu
hungry     svangur   svöng   svangt   svangan   svanga   svöngum   svangri   svöngu
strong     sterkur   sterk   sterkt   sterkan   sterka   sterkum   sterkri   sterku
heavy      þungur    þung    þungt    þungan    þunga    þungum    þungri    þungu
green      grænn     græn    grænt    grænan    græna    grænum    grænni    grænu
""")

# concept, strong plural: nominative m f n, accusative m (f n as nominative), dative; weak -i -a -u
_STRONG_PLURAL_AND_WEAK = rows("""
small      litlir    litlar    lítil   litla    litlum    litli    litla    litlu
big        stórir    stórar    stór    stóra    stórum    stóri    stóra    stóru
old        gamlir    gamlar    gömul   gamla    gömlum    gamli    gamla    gömlu
young      ungir     ungar     ung     unga     ungum     ungi     unga     ungu
beautiful  fallegir  fallegar  falleg  fallega  fallegum  fallegi  fallega  fallegu
white      hvítir    hvítar    hvít    hvíta    hvítum    hvíti    hvíta    hvítu
black      svartir   svartar   svört   svarta   svörtum   svarti   svarta   svörtu
brown      brúnir    brúnar    brún    brúna    brúnum    brúni    brúna    brúnu
new        nýir      nýjar     ný      nýja     nýjum     nýi      nýja     nýju
red        rauðir    rauðar    rauð    rauða    rauðum    rauði    rauða    rauðu
happy      glaðir    glaðar    glöð    glaða    glöðum    glaði    glaða    glöðu
tired      þreyttir  þreyttar  þreytt  þreytta  þreyttum  þreytti  þreytta  þreyttu
hungry     svangir   svangar   svöng   svanga   svöngum   svangi   svanga   svöngu
strong     sterkir   sterkar   sterk   sterka   sterkum   sterki   sterka   sterku
heavy      þungir    þungar    þung    þunga    þungum    þungi    þunga    þungu
green      grænir    grænar    græn    græna    grænum    græni    græna    grænu
""")

# concept, case of the object, present, present plural, past, past plural, infinitive, supine
_VERBS = rows("""
see      object  sér        sjá        sá         sáu        sjá        séð
find     object  finnur     finna      fann       fundu      finna      fundið
carry    object  ber        bera       bar        báru       bera       borið
meet     object  hittir     hitta      hitti      hittu      hitta      hitt
buy      object  kaupir     kaupa      keypti     keyptu     kaupa      keypt
hear     object  heyrir     heyra      heyrði     heyrðu     heyra      heyrt
fetch    object  sækir      sækja      sótti      sóttu      sækja      sótt
wash     object  hreinsar   hreinsa    hreinsaði  hreinsuðu  hreinsa    hreinsað
watch    object  skoðar     skoða      skoðaði    skoðuðu    skoða      skoðað
forget   dative  gleymir    gleyma     gleymdi    gleymdu    gleyma     gleymt
visit    object  heimsækir  heimsækja  heimsótti  heimsóttu  heimsækja  heimsótt
paint    object  málar      mála       málaði     máluðu     mála       málað
hide     object  felur      fela       faldi      földu      fela       falið
open     object  opnar      opna       opnaði     opnuðu     opna       opnað
chase    object  eltir      elta       elti       eltu       elta       elt
lose     dative  týnir      týna       týndi      týndu      týna       týnt
steal    dative  stelur     stela      stal       stálu      stela      stolið
sell     object  selur      selja      seldi      seldu      selja      selt
pull     object  dregur     draga      dró        drógu      draga      dregið
kiss     object  kyssir     kyssa      kyssti     kysstu     kyssa      kysst
protect  object  verndar    vernda     verndaði   vernduðu   vernda     verndað
lift     dative  lyftir     lyfta      lyfti      lyftu      lyfta      lyft
bite     object  bítur      bíta       beit       bitu       bíta       bitið
build    object  byggir     byggja     byggði     byggðu     byggja     byggt
""")

_ATTITUDES = rows("""
say    object  segir   segja   sagði   sögðu   segja   sagt
think  object  heldur  halda   hélt    héldu   halda   haldið
ask    object  spyr    spyrja  spurði  spurðu  spyrja  spurt
""")

_AUXILIARIES = rows("""
be     object  er    eru   var  voru  vera  verið
exist  object  er    eru   var  voru  vera  verið
can    object  getur geta  gat  gátu  geta  getað
""")

# concept, then the subjunctive in the same order
_SUBJUNCTIVE = rows("""
see      sjái      sjái      sæi        sæju
find     finni     finni     fyndi      fyndu
carry    beri      beri      bæri       bæru
meet     hitti     hitti     hitti      hittu
buy      kaupi     kaupi     keypti     keyptu
hear     heyri     heyri     heyrði     heyrðu
fetch    sæki      sæki      sækti      sæktu
wash     hreinsi   hreinsi   hreinsaði  hreinsuðu
watch    skoði     skoði     skoðaði    skoðuðu
forget   gleymi    gleymi    gleymdi    gleymdu
visit    heimsæki  heimsæki  heimsækti  heimsæktu
paint    máli      máli      málaði     máluðu
hide     feli      feli      feldi      feldu
open     opni      opni      opnaði     opnuðu
chase    elti      elti      elti       eltu
lose     týni      týni      týndi      týndu
steal    steli     steli     stæli      stælu
sell     selji     selji     seldi      seldu
pull     dragi     dragi     drægi      drægju
kiss     kyssi     kyssi     kyssti     kysstu
protect  verndi    verndi    verndaði   vernduðu
lift     lyfti     lyfti     lyfti      lyftu
bite     bíti      bíti      biti       bitu
build    byggi     byggi     byggði     byggðu
can      geti      geti      gæti       gætu
be       sé        séu       væri       væru
exist    sé        séu       væri       væru
""")


def _verb(concept: str, forms: tuple[str, ...]) -> Verb:
    governs, *finite, supine = forms
    return Verb(
        *finite,
        supine=supine,
        subjunctive=_SUBJUNCTIVE.get(concept, ()),
        governs="dative" if governs == "dative" else "object",
    )


def _adjective(concept: str) -> tuple[str, ...]:
    masculine, feminine, neuter, him, her, *dative = _STRONG_SINGULAR[concept]
    they_m, they_f, they_n, them, to_them, *weak = _STRONG_PLURAL_AND_WEAK[concept]
    return strong_weak(
        singular=((masculine, feminine, neuter), (him, her, neuter), tuple(dative)),
        plural=((they_m, they_f, they_n), (them, they_f, they_n), (to_them,) * 3),
        weak=weak,
    )


LEXICON = Lexicon(
    tag="is",
    nouns={k: noun(g, rest, _PLURAL[k]) for k, (g, *rest) in _SINGULAR.items()},
    adjectives={k: _adjective(k) for k in _STRONG_SINGULAR},
    verbs={key: _verb(key, forms) for key, forms in _VERBS.items()},
    auxiliaries={key: _verb(key, forms) for key, forms in _AUXILIARIES.items()},
    attitudes={key: _verb(key, forms) for key, forms in _ATTITUDES.items()},
    links={"say": "að", "think": "að", "ask": "hvort", "because": "af því að"},
    places=phrases("""
        garden   í garðinum
        house    í húsinu
        street   á götunni
        forest   í skóginum
        market   á torginu
        kitchen  í eldhúsinu
        beach    á ströndinni
        city     í borginni
        river    við ána
        village  í þorpinu
        church   hjá kirkjunni
        castle   fyrir framan höllina
    """),
    times=phrases("""
        today      í dag
        yesterday  í gær
        now        núna
        morning    um morguninn
        evening    um kvöldið
        every_day  á hverjum degi
        last_week  í síðustu viku
        night      um nóttina
        summer     um sumarið
    """),
    pronouns={
        "he": ("hann", "hann", "honum"), "she": ("hún", "hana", "henni"),
        "it": ("það", "það", "því"), "they_m": ("þeir", "þá", "þeim"),
        "they_f": ("þær", "þær", "þeim"), "they_n": ("þau", "þau", "þeim"),
    },
    words=phrases("""
        not    ekki
        often  oft
        never  aldrei
        yes    já
        no     nei
        there  það
    """),
    determiners={
        "two": determiner("tveir tvær tvö", "tvo tvær tvö", "tveimur tveimur tveimur"),
        "three": determiner("þrír þrjár þrjú", "þrjá þrjár þrjú", "þremur þremur þremur"),
        "many": determiner("margir margar mörg", "marga margar mörg", "mörgum mörgum mörgum"),
    },
    homographs=frozenset({"egg"}),
)  # fmt: skip
