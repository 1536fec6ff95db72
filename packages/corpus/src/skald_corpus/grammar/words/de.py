"""German words."""

from __future__ import annotations

from skald_corpus.grammar.lexicon import Lexicon, Noun, Verb, phrases, rows

# concept, gender, singular nominative, singular accusative, plural (nominative = accusative)
_NOUNS = rows("""
man       m  Mann         Mann         Männer
woman     f  Frau         Frau         Frauen
dog       m  Hund         Hund         Hunde
child     n  Kind         Kind         Kinder
house     n  Haus         Haus         Häuser
boy       m  Junge        Jungen       Jungen
girl      n  Mädchen      Mädchen      Mädchen
cat       f  Katze        Katze        Katzen
book      n  Buch         Buch         Bücher
mother    f  Mutter       Mutter       Mütter
father    m  Vater        Vater        Väter
horse     n  Pferd        Pferd        Pferde
ball      m  Ball         Ball         Bälle
bird      m  Vogel        Vogel        Vögel
king      m  König        König        Könige
letter    m  Brief        Brief        Briefe
table     m  Tisch        Tisch        Tische
queen     f  Königin      Königin      Königinnen
boat      n  Boot         Boot         Boote
car       n  Auto         Auto         Autos
cow       f  Kuh          Kuh          Kühe
sister    f  Schwester    Schwester    Schwestern
brother   m  Bruder       Bruder       Brüder
apple     m  Apfel        Apfel        Äpfel
lamp      f  Lampe        Lampe        Lampen
flower    f  Blume        Blume        Blumen
farmer    m  Bauer        Bauern       Bauern
stone     m  Stein        Stein        Steine
wolf      m  Wolf         Wolf         Wölfe
key       m  Schlüssel    Schlüssel    Schlüssel
cup       f  Tasse        Tasse        Tassen
door      f  Tür          Tür          Türen
prince    m  Prinz        Prinzen      Prinzen
window    n  Fenster      Fenster      Fenster
ring      m  Ring         Ring         Ringe
pig       n  Schwein      Schwein      Schweine
ship      n  Schiff       Schiff       Schiffe
princess  f  Prinzessin   Prinzessin   Prinzessinnen
bed       n  Bett         Bett         Betten
bear      m  Bär          Bären        Bären
hat       m  Hut          Hut          Hüte
mouse     f  Maus         Maus         Mäuse
knife     n  Messer       Messer       Messer
goat      f  Ziege        Ziege        Ziegen
glass     n  Glas         Glas         Gläser
bag       f  Tasche       Tasche       Taschen
lamb      n  Lamm         Lamm         Lämmer
egg       n  Ei           Ei           Eier
jacket    f  Jacke        Jacke        Jacken
bicycle   n  Fahrrad      Fahrrad      Fahrräder
tree      m  Baum         Baum         Bäume
box       f  Kiste        Kiste        Kisten
clock     f  Uhr          Uhr          Uhren
chair     m  Stuhl        Stuhl        Stühle
""")

# concept, predicative, then the attributive endings -e -en -er -es
_ADJECTIVES = rows("""
small      klein     kleine     kleinen     kleiner     kleines
big        groß      große      großen      großer      großes
old        alt       alte       alten       alter       altes
young      jung      junge      jungen      junger      junges
beautiful  schön     schöne     schönen     schöner     schönes
white      weiß      weiße      weißen      weißer      weißes
black      schwarz   schwarze   schwarzen   schwarzer   schwarzes
brown      braun     braune     braunen     brauner     braunes
new        neu       neue       neuen       neuer       neues
red        rot       rote       roten       roter       rotes
happy      froh      frohe      frohen      froher      frohes
tired      müde      müde       müden       müder       müdes
hungry     hungrig   hungrige   hungrigen   hungriger   hungriges
strong     stark     starke     starken     starker     starkes
heavy      schwer    schwere    schweren    schwerer    schweres
green      grün      grüne      grünen      grüner      grünes
""")

# concept, present singular, present plural, past singular, past plural, infinitive
_VERBS = rows("""
see      sieht       sehen       sah          sahen          sehen
find     findet      finden      fand         fanden         finden
carry    trägt       tragen      trug         trugen         tragen
meet     trifft      treffen     traf         trafen         treffen
buy      kauft       kaufen      kaufte       kauften        kaufen
hear     hört        hören       hörte        hörten         hören
fetch    holt        holen       holte        holten         holen
wash     wäscht      waschen     wusch        wuschen        waschen
watch    beobachtet  beobachten  beobachtete  beobachteten   beobachten
forget   vergisst    vergessen   vergaß       vergaßen       vergessen
visit    besucht     besuchen    besuchte     besuchten      besuchen
paint    malt        malen       malte        malten         malen
hide     versteckt   verstecken  versteckte   versteckten    verstecken
open     öffnet      öffnen      öffnete      öffneten       öffnen
chase    verfolgt    verfolgen   verfolgte    verfolgten     verfolgen
lose     verliert    verlieren   verlor       verloren       verlieren
steal    stiehlt     stehlen     stahl        stahlen        stehlen
sell     verkauft    verkaufen   verkaufte    verkauften     verkaufen
pull     zieht       ziehen      zog          zogen          ziehen
kiss     küsst       küssen      küsste       küssten        küssen
protect  beschützt   beschützen  beschützte   beschützten    beschützen
lift     hebt        heben       hob          hoben          heben
bite     beißt       beißen      biss         bissen         beißen
build    baut        bauen       baute        bauten         bauen
""")

_ATTITUDES = rows("""
say    sagt    sagen    sagte    sagten    sagen
think  glaubt  glauben  glaubte  glaubten  glauben
ask    fragt   fragen   fragte   fragten   fragen
""")

_AUXILIARIES = rows("""
be     ist   sind    war     waren     sein
exist  ist   sind    war     waren     sein
can    kann  können  konnte  konnten   können
""")

#: Grammatical gender decides the pronoun, except where usage wavers.
_PRONOUN = {"m": "he", "f": "she", "n": "it"}
_WAVERING = {"girl"}

LEXICON = Lexicon(
    tag="de",
    nouns={
        k: Noun(g, "" if k in _WAVERING else _PRONOUN[g], s, p, accusative=a)
        for k, (g, s, a, p) in _NOUNS.items()
    },
    adjectives=_ADJECTIVES,
    verbs={key: Verb(*forms) for key, forms in _VERBS.items()},
    auxiliaries={key: Verb(*forms) for key, forms in _AUXILIARIES.items()},
    attitudes={key: Verb(*forms) for key, forms in _ATTITUDES.items()},
    links={"say": "dass", "think": "dass", "ask": "ob", "because": "weil"},
    places=phrases("""
        garden   im Garten
        house    im Haus
        street   auf der Straße
        forest   im Wald
        market   auf dem Markt
        kitchen  in der Küche
        beach    am Strand
        city     in der Stadt
        river    am Fluss
        village  im Dorf
        church   bei der Kirche
        castle   vor dem Schloss
    """),
    times=phrases("""
        today      heute
        yesterday  gestern
        now        jetzt
        morning    am Morgen
        evening    am Abend
        every_day  jeden Tag
        last_week  letzte Woche
        night      in der Nacht
        summer     im Sommer
    """),
    pronouns={"he": ("er", "ihn"), "she": ("sie", "sie"), "it": ("es", "es"),
              "they": ("sie", "sie")},
    words=phrases("""
        not    nicht
        often  oft
        never  nie
        two    zwei
        three  drei
        many   viele
        yes    ja
        no     nein
    """),
    homographs=frozenset({"boy", "farmer", "hat"}),
)  # fmt: skip
