"""A Spanish question, word by word in English: enough to search and judge English articles, not a translation."""

from __future__ import annotations

import re

from qa.names import fold

ASKING = frozenset("que quien quienes cual cuales cuando donde adonde como cuanto cuanta cuantos cuantas".split())
"""Question words, folded. "Como" and "que" alone do not make a text Spanish; see `is_spanish`."""

COMMON = frozenset(
    "el la los las un una unos unas de del al a en por para con sin sobre y o se su sus lo le les fue fueron es son "
    "era esta este estos estas ese esa ha han hubo hay no mas muy entre desde hasta segun contra".split()
)
"""Words that make up most of any Spanish text, folded."""

_WORDS = """
que=what quien=who quienes=who cual=which cuales=which cuando=when donde=where adonde=where como=how porque=because
cuanto=how-much cuanta=how-much cuantos=how-many cuantas=how-many por=by para=for con=with sin=without sobre=about
contra=against entre=between desde=since hasta=until segun=according-to durante=during tras=after antes=before
despues=after el=the la=the los=the las=the un=a una=a unos=some unas=some de=of del=of-the al=to-the a=to en=in y=and
o=or pero=but se= su=his sus=their lo=it le= les= ha=has han=have habia=had hubo=was hay=is fue=was fueron=were es=is
son=are era=was eran=were esta=is estan=are este=this estos=these estas=these ese=that esa=that eso=that no=not si=if
mas=more menos=less muy=very todo=all todos=all todas=all otro=other otros=other cada=each primer=first primera=first
primero=first ultimo=last ultima=last nuevo=new nueva=new nuevos=new nuevas=new gran=great grande=large grandes=large
segundo=second segunda=second tercero=third tercera=third mundial=world puente=bridge peaje=toll grupo=group
amistad=friendship petrolero=tanker reunion=meeting mayor=largest menor=smallest mejor=best peor=worst uno=one dos=two
tres=three cuatro=four cinco=five seis=six siete=seven ocho=eight nueve=nine diez=ten cien=hundred ciento=hundred
mil=thousand millon=million millones=million ano=year anos=years mes=month meses=months dia=day dias=days semana=week
semanas=weeks siglo=century hora=hour horas=hours hoy=today ayer=yesterday pais=country paises=countries estado=state
estados=states unidos=united unidas=united eeuu=US eua=US naciones=nations mundo=world ciudad=city ciudades=cities
capital=capital frontera=border norte=north sur=south este=this oeste=west gente=people persona=person personas=people
pueblo=people hombre=man hombres=men mujer=woman mujeres=women nino=child ninos=children joven=young jovenes=young
familia=family ley=law leyes=laws juez=judge jueces=judges corte=court tribunal=court carcel=prison prision=prison
policia=police ejercito=army militar=military militares=military soldado=soldier soldados=soldiers tropas=troops
marina=navy arma=weapon armas=weapons fusil=rifle fusiles=rifles lanzagranadas=grenade-launchers granada=grenade
granadas=grenades lanzacohetes=rocket-launchers misil=missile misiles=missiles ametralladora=machine-gun
ametralladoras=machine-guns municion=ammunition municiones=ammunition bala=bullet balas=bullets avion=plane
aviones=planes buque=ship buques=ships barco=ship barcos=ships tanque=tank tanques=tanks guerra=war paz=peace
batalla=battle lucha=fight droga=drug drogas=drugs narcotrafico=drug-trafficking narcotraficantes=drug-traffickers
narco=drug-trafficker cartel=cartel carteles=cartels crimen=crime delito=crime delitos=crimes muerto=dead muertos=dead
muerte=death muertes=deaths herido=wounded heridos=wounded victima=victim victimas=victims gobierno=government
gobiernos=governments presidente=president presidenta=president ministro=minister ministra=minister
secretario=secretary secretaria=secretary canciller=foreign-minister embajador=ambassador embajada=embassy
diputado=lawmaker diputados=lawmakers senador=senator senadores=senators congreso=congress partido=party
partidos=parties eleccion=election elecciones=elections voto=vote votos=votes alcalde=mayor gobernador=governor
jefe=chief jefes=chiefs lider=leader lideres=leaders empresa=company empresas=companies fabrica=factory
fabricas=factories fabricante=maker fabricantes=makers dinero=money precio=price precios=prices costo=cost
costos=costs coste=cost dolar=dollar dolares=dollars comercio=trade exportaciones=exports importaciones=imports
aranceles=tariffs arancel=tariff impuesto=tax impuestos=taxes sancion=sanction sanciones=sanctions acuerdo=agreement
tratado=treaty oferta=offer propuesta=proposal ayuda=help apoyo=support amenaza=threat cambio=change carta=letter
periodico=newspaper diario=newspaper noticia=news noticias=news articulo=article articulos=articles informe=report
lectores=readers comentario=comment comentarios=comments razon=reason causa=cause soberania=sovereignty
neutral=neutral neutralidad=neutrality espia=spy espias=spies rusia=Russia ruso=Russian rusa=Russian rusos=Russian
rusas=Russian ucrania=Ukraine alemania=Germany aleman=German francia=France inglaterra=England espana=Spain
brasil=Brazil estadounidense=American estadounidenses=American norteamericano=American mexicano=Mexican
mexicana=Mexican mexicanos=Mexican mexicanas=Mexican mexico=Mexico americano=American europa=Europe edad=age
nombre=name agua=water salud=health enfermedad=disease vacuna=vaccine vacunas=vaccines escuela=school
universidad=university clima=climate incendio=fire incendios=fires terremoto=earthquake inundacion=flood juego=game
partida=game equipo=team copa=cup pelicula=film libro=book musica=music casa=house calle=street camino=road
automovil=car coche=car carro=car
"""

_STEMS = """
rechaz=rejected ofrec=offered ofreci=offered dij=said dic=say digo=said declar=declared anunci=announced pid=asked
pidi=asked solicit=requested envi=sent mand=sent dio=gave dan=give entreg=delivered recib=received acept=accepted
neg=refused proh=banned prohib=banned permit=allowed perm=allowed gan=won perd=lost mat=killed mur=died muri=died
asesin=murdered atac=attacked detuv=arrested deten=arrested arrest=arrested captur=captured incaut=seized
decomis=seized asegur=seized rob=stole compr=bought vend=sold hund=sank entr=entered form=formed fabric=made
constru=built produc=produced ensambl=assembled arm=assembled viaj=travelled visit=visited lleg=arrived sal=left
volv=returned reun=met encontr=found busc=sought investig=investigated demand=sued acus=accused denunci=denounced
conden=condemned critic=criticised apoy=supported defend=defended proteg=protects ampar=protects firm=signed vot=voted
eleg=elected escrib=wrote escribi=wrote public=published report=reported inform=reported revel=revealed
explic=explained pens=think cre=believe opin=think quier=want quis=wanted pued=can deb=must tien=has tuv=had hac=does
hiz=did hic=did cuest=cost cost=cost pag=paid gast=spent val=worth usa=used us=used utiliz=used necesit=needs
comenz=began empez=began inici=began termin=ended acab=ended dur=lasted ocurr=happened pas=happened sucedi=happened
cambi=changed aument=rose sub=rose baj=fell disminu=fell mantien=stays manten=stays permanec=remains qued=remain
ser=be llam=called conoc=known viv=lives nac=born trabaj=works lider=leads encabez=heads dirig=heads propus=proposed
propon=proposes recomend=recommended advirti=warned advert=warned amenaz=threatened impus=imposed impon=imposed
sancion=sanctioned invad=invaded invas=invasion vol=flew sobrevol=flew disparar=fired dispar=fired derrib=shot-down
pertenec=belongs respond=answered contest=answered compart=share coincid=agree
"""

LEXICON = {word: english.replace("-", " ") for word, _, english in (pair.partition("=") for pair in _WORDS.split())}
STEMS = {stem: english.replace("-", " ") for stem, _, english in (pair.partition("=") for pair in _STEMS.split())}

PHRASES = (("por qu[eé]", "why"), ("estados unidos", "United States"), ("naciones unidas", "United Nations"))
"""Patterns of words that mean something else together, and their English."""

ENDING = re.compile(
    r"(?:[oaeiy]|as|es|an|en|[aei]r(?:on|an|a|e|ia|ian)?|[aei]mos|aron|ieron|io|aba|abas|aban|abamos|ia|ias|ian"
    r"|[ai]do|[ai]da|[ai]dos|[ai]das|ando|iendo|aste|iste|eron)"
)
"""What a Spanish verb adds to its stem, folded: "rechaz-aron", but not "sal-azar"."""

LONGEST_ENDING = 6
"""Letters that a Spanish verb adds to its stem at the most ("rechaz-ábamos")."""


def is_spanish(text: str) -> bool:
    """Whether a text is Spanish: its marks say so, or half of its words or more are ones that Spanish needs."""
    words = re.findall(r"\w+", text)
    folded = [fold(word) for word in words]
    if re.search(r"[¿¡]", text) or any(word.lower() != fold(word) and fold(word) in ASKING for word in words):
        return True
    known = sum(word in COMMON or word in ASKING for word in folded)
    return len(words) >= 3 and known >= len(words) / 2


def phrases(text: str) -> str:
    """A text with those of its words in English that mean something else together."""
    for pattern, english in PHRASES:
        text = re.sub(rf"\b{pattern}\b", english, text, flags=re.I)
    return text


def english(word: str) -> str | None:
    """The English for a Spanish word, "" where English has none, None when it is not known."""
    plain = fold(word)
    if plain in LEXICON:
        return LEXICON[plain]
    for length in range(len(plain) - 1, max(2, len(plain) - LONGEST_ENDING) - 1, -1):
        if plain[:length] in STEMS and ENDING.fullmatch(plain[length:]):
            return STEMS[plain[:length]]
    return None
