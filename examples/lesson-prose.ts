// The words between the cells of the lesson, in Spanish and in English: a summary, in other words, of the notebook
// "Modelos Neuronales IV" by Jorge García González (Universidad de Málaga).

/** A text in the languages of the lesson. */
export interface Text {
  readonly es: string
  readonly en: string
}

export type Language = keyof Text

export const languages: readonly Language[] = ['es', 'en']

/** What the walk says of its own. */
export const labels = {
  title: {
    es: 'Modelos neuronales: torch.nn.Module, celda a celda, en TypeScript',
    en: 'Neural models: torch.nn.Module, cell by cell, in TypeScript',
  },
  source: {
    es: 'Según el cuaderno «Modelos Neuronales IV» de Jorge García González (Universidad de Málaga), resumido con otras palabras. Los números entre corchetes son los de sus celdas. El código es el de examples/lesson-cells.ts, donde también están sus pequeñas ayudas: print, pyRepr y pyFloat escriben los valores como lo haría Python. En un programa propio, console.log hace lo mismo con tensores y modelos.',
    en: 'After the notebook "Modelos Neuronales IV" by Jorge García González (Universidad de Málaga), retold in brief. The numbers in brackets are those of its cells. The code is that of examples/lesson-cells.ts, where its little helpers are, too: print, pyRepr and pyFloat write values as Python would. In a program of your own, console.log does so for tensors and models.',
  },
  warning: { es: 'aviso', en: 'warning' },
  end: { es: 'Fin de la lección.', en: 'End of the lesson.' },
} as const satisfies Record<string, Text>

/** What is said before a cell, by its number. */
export const prose: ReadonlyMap<number, Text> = new Map<number, Text>([
  [
    146,
    {
      es: `Hasta ahora los modelos se han construido con nn.Sequential, que encadena capas ya hechas. Cuando eso no basta, un
modelo se escribe como una clase propia. Primero, lo que hay que importar.`,
      en: `So far models were put together with nn.Sequential, which chains ready-made layers. Where that is not enough, a
model is written as a class of its own. First, what has to be imported.`,
    },
  ],
  [
    147,
    {
      es: `El ejemplo más pequeño: una recta, y = m x + b. La clase extiende nn.Module; lo que se optimiza son sus campos de
tipo nn.Parameter; forward dice qué calcula, y extraRepr qué enseña al imprimirse.`,
      en: `The smallest example: a line, y = m x + b. The class extends nn.Module; what will be optimised are its fields that
hold an nn.Parameter; forward says what it computes, and extraRepr what it shows when printed.`,
    },
  ],
  [
    148,
    {
      es: `El modelo se imprime, enumera sus parámetros y se llama como una función. El resultado recuerda de qué operación
viene (grad_fn), que es lo que necesita backward. (Con la misma semilla, PyTorch da los mismos números.)`,
      en: `The model prints itself, lists its parameters and is called like a function. The result knows which operation it
came from (grad_fn), which is what backward needs. (With the same seed, PyTorch gives the same numbers.)`,
    },
  ],
  [
    149,
    {
      es: `Con constructor y forward propios hay libertad total, siempre que las operaciones sean derivables. Un perceptrón
multicapa cuyas capas se crean en un bucle, a partir de una lista de tamaños: la primera es LazyLinear, una capa lineal que
averigua el tamaño de su entrada cuando la ve.`,
      en: `With a constructor and a forward of one's own anything goes, as long as the operations can be differentiated. Here is a
multilayer perceptron whose layers are made in a loop, from a list of sizes: the first is a LazyLinear, a linear layer that
finds out the width of its input when it first sees one.`,
    },
  ],
  [
    150,
    {
      es: `Y aquí está la trampa de la lección: la lista de parámetros sale vacía. Las capas están en un array corriente, donde
ningún módulo las busca, así que un optimizador no tendría nada que ajustar. PyTorch calla; antorcha avisa, nombra el campo
y dice el remedio.`,
      en: `And this is the trap of the lesson: the list of parameters is empty. The layers lie in a plain array, where no module
looks for them, so an optimizer would have nothing to adjust. PyTorch says nothing; antorcha warns, names the field and tells
the cure.`,
    },
  ],
  [
    151,
    {
      es: `¿No se pueden usar módulos dentro de módulos? Sí: como campos. La misma red con cada capa y cada activación en un
campo propio, aunque así solo sirve para tres capas.`,
      en: `Can modules not be used inside modules? They can, as fields. The same network with every layer and every activation in
a field of its own, though this way it is good for three layers only.`,
    },
  ],
  [
    152,
    {
      es: `Ahora aparecen los parámetros, y debajo, en orden, las capas. Los de la LazyLinear aún no tienen tamaño:
<UninitializedParameter>.`,
      en: `Now the parameters are there, and below them, in order, the layers. Those of the LazyLinear have no size yet:
<UninitializedParameter>.`,
    },
  ],
  [
    153,
    {
      es: `Para tener listas de capas sin perderlas están nn.ModuleList y nn.ModuleDict: contenedores que el módulo sí recorre.
La primera versión, con ModuleList en vez de arrays.`,
      en: `For lists of layers that do not get lost there are nn.ModuleList and nn.ModuleDict: containers that the module does
look into. The first version again, with ModuleList in place of arrays.`,
    },
  ],
  [
    154,
    {
      es: 'Las capas están registradas, y las tres activaciones iguales se imprimen en una sola línea.',
      en: 'The layers are registered, and the three equal activations are printed in one line.',
    },
  ],
  [
    155,
    {
      es: 'Una primera inferencia, con una entrada de un solo valor.',
      en: 'A first inference, with an input of one value.',
    },
  ],
  [
    156,
    {
      es: `La LazyLinear ha desaparecido: al ver la primera entrada tomó su tamaño y se convirtió en una Linear. Por eso se
llama al modelo, model(x), y nunca a model.forward(x): la llamada hace más cosas que forward, como ejecutar los hooks y
completar las capas perezosas.`,
      en: `The LazyLinear is gone: when it saw the first input it took its width and became a Linear. That is why one calls the
model, model(x), and never model.forward(x): the call does more than forward does, such as running hooks and completing lazy
layers.`,
    },
  ],
  [
    157,
    {
      es: `Queda guardar lo aprendido. Casi todas las maneras de hacerlo pasan por el state_dict: los parámetros de cada capa, por
su nombre.`,
      en: `What remains is to save what was learned. Nearly every way to do that goes through the state dict: the parameters of
every layer, by name.`,
    },
  ],
  [
    158,
    {
      es: 'El cuaderno guarda en Google Drive; aquí sirve una carpeta temporal.',
      en: 'The notebook saves to Google Drive; a temporary folder does here.',
    },
  ],
  [
    159,
    {
      es: `Guardar el state_dict, crear otro modelo de la misma forma y cargarlo en él. El fichero es el de PyTorch: Python lo
abre, y aquí se abren los de Python, sin ejecutar nunca código que venga dentro.`,
      en: `Save the state dict, make another model of the same form, load it there. The file is PyTorch's own format: Python
opens it, and Python's files open here, without ever running code that is in them.`,
    },
  ],
  [
    160,
    {
      es: `Los dos modelos tienen los mismos números. El segundo sigue diciendo LazyLinear: sus parámetros ya tienen tamaño, pero
todavía no ha visto ninguna entrada.`,
      en: `Both models hold the same numbers. The second still says LazyLinear: its parameters have a size by now, but it has not
seen an input yet.`,
    },
  ],
  [
    161,
    {
      es: `Un error buscado: una entrada de dos valores no encaja con pesos hechos para uno. Un state_dict solo contiene
parámetros; la estructura de capas tiene que existir ya, y coincidir.`,
      en: `An error on purpose: an input of two values does not fit weights that were made for one. A state dict holds parameters
only; the structure of layers must exist already, and must match.`,
    },
  ],
  [
    162,
    {
      es: 'Otra vez, sin mala fe: un modelo nuevo y los mismos parámetros.',
      en: 'Once more, in good faith: a new model and the same parameters.',
    },
  ],
  [
    163,
    { es: 'Con una entrada del tamaño correcto funciona.', en: 'With an input of the right width it works.' },
  ],
  [
    164,
    {
      es: 'Todo está en su sitio, y la capa perezosa es ya una Linear.',
      en: 'All is in its place, and the lazy layer is a Linear now.',
    },
  ],
  [
    165,
    {
      es: `Por último, ¿ancho o profundo? Una capa de k neuronas con n entradas tiene k (n + 1) parámetros: un peso por entrada y
un sesgo. Con una entrada y diez neuronas ocultas, una sola capa oculta da 10 (1 + 2) + 1 = 31 parámetros, y dos capas de
cinco, 10 + 30 + 6 = 46.`,
      en: `Last, wide or deep? A layer of k neurons with n inputs has k (n + 1) parameters: a weight for each input, and a bias.
With one input and ten hidden neurons, a single hidden layer makes 10 (1 + 2) + 1 = 31 parameters, and two layers of five,
10 + 30 + 6 = 46.`,
    },
  ],
  [
    166,
    {
      es: 'Con diez entradas la cuenta se da la vuelta: 121 parámetros en una capa oculta, 91 en dos.',
      en: 'With ten inputs it is the other way round: 121 parameters with one hidden layer, 91 with two.',
    },
  ],
])

/** What is said after the last cell. */
export const closing: Text = {
  es: `Con una sola capa oculta los parámetros crecen más deprisa con el tamaño de la entrada. Añadir capas es componer
funciones, y cada una aprovecha lo que hizo la anterior: más flexibilidad por menos parámetros. A cambio, cada capa espera a
la anterior, y eso no se puede paralelizar. Cuánto de cada cosa conviene depende del problema y del hardware, y se decide
probando.`,
  en: `With a single hidden layer the parameters grow faster with the width of the input. To add layers is to compose functions,
each of which builds on what the one before has done: more flexibility for fewer parameters. In return every layer waits for
the one before, which nothing can make parallel. How much of each is right depends on the problem and on the hardware, and is
found by trying.`,
}
