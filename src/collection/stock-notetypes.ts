/** A notetype that Anki puts into every new collection, in the words of `format/proto/collection.proto`. */
export interface StockNotetype {
  readonly name: string;
  readonly kind: 'normal' | 'cloze';
  /** Position in Anki's list of stock notetypes, from 1: stored as `originalStockKind`. */
  readonly stockKind: number;
  readonly css: string;
  readonly fields: readonly StockField[];
  readonly templates: readonly StockTemplate[];
  /** Per template, the fields of which any or all must be filled for its card to exist; by position. */
  readonly requirements: readonly StockRequirement[];
}

export type StockRequirement = { readonly any: readonly number[] } | { readonly all: readonly number[] };

export interface StockField {
  readonly name: string;
  /** Marks a field that Anki's editor finds by number, whatever its name. */
  readonly tag?: number;
  readonly preventDeletion?: boolean;
}

export interface StockTemplate {
  readonly name: string;
  readonly question: string;
  readonly answer: string;
}

export const STOCK_LATEX_PRE = `\\documentclass[12pt]{article}
\\special{papersize=3in,5in}
\\usepackage[utf8]{inputenc}
\\usepackage{amssymb,amsmath}
\\pagestyle{empty}
\\setlength{\\parindent}{0in}
\\begin{document}
`;

export const STOCK_LATEX_POST = '\\end{document}';

const CARD_CSS = `.card {
    font-family: arial;
    font-size: 20px;
    line-height: 1.5;
    text-align: center;
    color: black;
    background-color: white;
}
`;

const CLOZE_CSS = `.cloze {
    font-weight: bold;
    color: blue;
}
.nightMode .cloze {
    color: lightblue;
}
`;

const OCCLUSION_CSS = `#image-occlusion-canvas {
    --inactive-shape-color: #ffeba2;
    --active-shape-color: #ff8e8e;
    --inactive-shape-border: 1px #212121;
    --active-shape-border: 1px #212121;
    --highlight-shape-color: #ff8e8e00;
    --highlight-shape-border: 1px #ff8e8e;
}

.card {
    font-family: arial;
    font-size: 20px;
    text-align: center;
    color: black;
    background-color: white;
}
`;

const OCCLUSION_QUESTION = `{{#Header}}<div>{{Header}}</div>{{/Header}}
<div style="display: none">{{cloze:Occlusion}}</div>
<div id="err"></div>
<div id="image-occlusion-container">
    {{Image}}
    <canvas id="image-occlusion-canvas"></canvas>
</div>
<script>
try {
    anki.imageOcclusion.setup();
} catch (exc) {
    document.getElementById("err").innerHTML = \`Error loading image occlusion. Is your Anki version up to date?<br><br>\${exc}\`;
}
</script>
`;

const OCCLUSION_ANSWER = `${OCCLUSION_QUESTION}
<div><button id="toggle">Toggle Masks</button></div>
{{#Back Extra}}<div>{{Back Extra}}</div>{{/Back Extra}}
`;

const FRONT_TO_BACK: StockTemplate = {
  name: 'Card 1',
  question: '{{Front}}',
  answer: '{{FrontSide}}\n\n<hr id=answer>\n\n{{Back}}',
};

const BACK_TO_FRONT: StockTemplate = {
  name: 'Card 2',
  question: '{{Back}}',
  answer: '{{FrontSide}}\n\n<hr id=answer>\n\n{{Front}}',
};

/** In the order in which Anki makes them. The texts are part of the file format: clients recognise them. */
export const STOCK_NOTETYPES: readonly StockNotetype[] = [
  {
    name: 'Basic',
    kind: 'normal',
    stockKind: 1,
    css: CARD_CSS,
    fields: [{ name: 'Front' }, { name: 'Back' }],
    templates: [FRONT_TO_BACK],
    requirements: [{ any: [0] }],
  },
  {
    name: 'Basic (and reversed card)',
    kind: 'normal',
    stockKind: 2,
    css: CARD_CSS,
    fields: [{ name: 'Front' }, { name: 'Back' }],
    templates: [FRONT_TO_BACK, BACK_TO_FRONT],
    requirements: [{ any: [0] }, { any: [1] }],
  },
  {
    name: 'Basic (optional reversed card)',
    kind: 'normal',
    stockKind: 3,
    css: CARD_CSS,
    fields: [{ name: 'Front' }, { name: 'Back' }, { name: 'Add Reverse' }],
    templates: [FRONT_TO_BACK, { ...BACK_TO_FRONT, question: '{{#Add Reverse}}{{Back}}{{/Add Reverse}}' }],
    requirements: [{ any: [0] }, { all: [1, 2] }],
  },
  {
    name: 'Basic (type in the answer)',
    kind: 'normal',
    stockKind: 4,
    css: CARD_CSS,
    fields: [{ name: 'Front' }, { name: 'Back' }],
    templates: [
      {
        name: 'Card 1',
        question: '{{Front}}\n\n{{type:Back}}',
        answer: '{{Front}}\n\n<hr id=answer>\n\n{{type:Back}}',
      },
    ],
    requirements: [{ any: [0, 1] }],
  },
  {
    name: 'Cloze',
    kind: 'cloze',
    stockKind: 5,
    css: CARD_CSS + CLOZE_CSS,
    fields: [
      { name: 'Text', tag: 0, preventDeletion: true },
      { name: 'Back Extra', tag: 1 },
    ],
    templates: [{ name: 'Cloze', question: '{{cloze:Text}}', answer: '{{cloze:Text}}<br>\n{{Back Extra}}' }],
    requirements: [{ any: [0] }],
  },
  {
    name: 'Image Occlusion',
    kind: 'cloze',
    stockKind: 6,
    css: OCCLUSION_CSS,
    fields: [
      { name: 'Occlusion', tag: 0, preventDeletion: true },
      { name: 'Image', tag: 1, preventDeletion: true },
      { name: 'Header', tag: 2, preventDeletion: true },
      { name: 'Back Extra', tag: 3, preventDeletion: true },
      { name: 'Comments', tag: 4 },
    ],
    templates: [{ name: 'Image Occlusion', question: OCCLUSION_QUESTION, answer: OCCLUSION_ANSWER }],
    requirements: [{ any: [0, 1, 2] }],
  },
];
