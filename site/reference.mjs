/* The reference of the site: a page for each kind of export of the package, and one for each other entry. */

const KINDS = {
  Function: ['functions', 'Functions'],
  Class: ['classes', 'Classes'],
  Interface: ['interfaces', 'Interfaces'],
  TypeAlias: ['types', 'Types'],
  Variable: ['constants', 'Constants'],
}

/** Pages by file name, of the models of api-extractor by entry; the package itself is `everthread`. */
export function referencePages(models) {
  const pages = new Map()
  const lists = []
  for (const [name, model] of models) {
    const exports = model.members[0].members.toSorted((a, b) => a.name.localeCompare(b.name))
    if (name !== 'everthread') {
      addPage(name, `everthread/${name}`, exports)
      continue
    }
    for (const [kind, [file, title]] of Object.entries(KINDS)) {
      addPage(
        file,
        title,
        exports.filter((member) => member.kind === kind),
      )
    }
    const unknown = exports.filter(({ kind }) => !(kind in KINDS))
    if (unknown.length > 0) throw new Error(`no page for ${unknown[0].kind} ${unknown[0].name}`)
  }
  const intro =
    'Made from the declarations of the package. What to call for what: [API](../api.md).'
  pages.set('index.md', `# Reference\n\n${intro}\n\n${lists.join('\n\n')}\n`)
  return pages

  function addPage(file, title, exports) {
    if (exports.length === 0) return
    pages.set(`${file}.md`, `# ${title}\n\n${exports.map(sectionOf).join('\n\n')}\n`)
    const names = [...new Set(exports.map(({ name }) => name))]
    const links = names.map((name) => `[${name}](./${file}.md#${name.toLowerCase()})`)
    lists.push(`**${title}**: ${links.join(', ')}`)
  }
}

function sectionOf(member) {
  const text = textOf(member.docComment)
  return `## ${member.name}\n\n${text === '' ? '' : `${text}\n\n`}\`\`\`ts\n${codeOf(member)}\n\`\`\``
}

/** The words of a comment, as Markdown that cannot be taken for a template. */
function textOf(comment = '') {
  return comment
    .replaceAll(/^\s*\/\*\*|\*\/\s*$/g, '')
    .replaceAll(/^[ \t]*\* ?/gm, '')
    .replaceAll(/\{@link ([^}|]+)(?:\|[^}]*)?\}/g, '`$1`')
    .replaceAll(/^@(\w+) ?/gm, '\n**$1** ')
    .replaceAll('{{', '{ {')
    .replaceAll('<', '&lt;')
    .trim()
}

/** The declaration, with the comments of its members. */
function codeOf({ excerptTokens, members = [] }) {
  const head = excerptTokens
    .map(({ text }) => text)
    .join('')
    .replace(/^export (?:declare )?/, '')
    .trim()
  if (members.length === 0) return head
  const body = members.map((member) =>
    `${commentOf(member)}${codeOf(member)}`.replaceAll(/^/gm, '  '),
  )
  return `${head} {\n${body.join('\n')}\n}`
}

function commentOf({ docComment = '' }) {
  const text = docComment.trim()
  // A constructor without a comment gets one of the extractor's.
  return text === '' || text.includes('Constructs a new instance of') ? '' : `${text}\n`
}
