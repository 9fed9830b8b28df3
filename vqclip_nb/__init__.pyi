from vqclip_nb.evaluation.machine import describe_machine as describe_machine
from vqclip_nb.evaluation.scores import score as score
from vqclip_nb.films.journey import journey as journey
from vqclip_nb.films.morph import morph as morph
from vqclip_nb.films.progress import generate as generate
from vqclip_nb.films.restyle import restyle as restyle
from vqclip_nb.films.timelapse import timelapse as timelapse
from vqclip_nb.models.judge import load_judge as load_judge
from vqclip_nb.models.loading import Models as Models
from vqclip_nb.models.loading import load_models as load_models
from vqclip_nb.run import Iterate as Iterate
from vqclip_nb.run import Result as Result
from vqclip_nb.run import Run as Run
from vqclip_nb.settings import PRESETS as PRESETS
from vqclip_nb.settings import Settings as Settings
from vqclip_nb.storage.colab import drive_folder as drive_folder
from vqclip_nb.sweeps.sweep import sweep as sweep
from vqclip_nb.widgets.gallery import Gallery as Gallery
from vqclip_nb.widgets.settings_form import Form as Form
from vqclip_nb.widgets.studio import Studio as Studio

__version__: str
