// The site of `npm run site`; scripts/site.mjs puts the pages together.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { GROUPS } from '../navigation.mjs'

const pages = new URL('../../.site/pages/', import.meta.url)

export default {
  title: 'everthread',
  description: 'Chat history that survives losing a database',
  srcDir: fileURLToPath(pages),
  outDir: fileURLToPath(new URL('../../.site/out/', import.meta.url)),
  cacheDir: fileURLToPath(new URL('../../.site/cache/', import.meta.url)),
  cleanUrls: true,
  markdown: { anchor: { slugify: githubSlug } },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    sidebar: GROUPS.map(([text, entries]) => ({
      text,
      items: entries
        .filter(([name]) => existsSync(new URL(`${name}.md`, pages)))
        .map(([name, title]) => ({ text: title, link: `/${name.replace(/(^|\/)index$/, '$1')}` })),
    })),
  },
}

/** Links name headings as GitHub does. */
function githubSlug(heading) {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')
}
