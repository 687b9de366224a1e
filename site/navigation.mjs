/** The pages of docs/ in the order of the site: groups of [file without its ending, title]. */
export const GROUPS = [
  [
    'Start',
    [
      ['index', 'What it is'],
      ['tutorial', 'Tutorial'],
      ['recipes', 'Recipes'],
      ['moving', 'Moving here'],
      ['importing', 'Importing'],
      ['comparison', 'Comparison'],
      ['faq', 'Questions'],
      ['glossary', 'Glossary'],
    ],
  ],
  [
    'Run',
    [
      ['configuration', 'Configuration'],
      ['configuration-mistakes', 'Mistakes in configuration'],
      ['deploying', 'Deploying'],
      ['runbooks', 'Runbooks'],
      ['troubleshooting', 'Troubleshooting'],
      ['command-line', 'Command line'],
    ],
  ],
  [
    'Look up',
    [
      ['api', 'API'],
      ['messages', 'Messages of every provider'],
      ['large-content', 'Large content'],
      ['context-windows', 'Context windows'],
      ['reference/index', 'Reference of the types'],
      ['errors', 'Errors'],
      ['guarantees', 'Guarantees'],
      ['assumptions', 'Assumptions'],
      ['contract', 'The described calls'],
      ['performance', 'Performance'],
      ['scaling', 'Scaling'],
    ],
  ],
  [
    'Inside',
    [
      ['architecture', 'Architecture'],
      ['internals', 'Internals'],
      ['wal-format', 'The log on disk'],
      ['adding-a-backend', 'Adding a backend'],
      ['decisions/index', 'Decisions'],
      ['contributing', 'Contributing'],
      ['security', 'Security'],
      ['changelog', 'Changes'],
    ],
  ],
]
