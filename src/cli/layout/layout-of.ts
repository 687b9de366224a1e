import { EXPORT_FORMATS, type ExportFormat } from '../jsonl/export-message.ts'
import type { ExportLayout } from './export-layout.ts'
import { HTML_LAYOUT } from './html-layout.ts'
import { lineLayout } from './line-layout.ts'
import { MARKDOWN_LAYOUT } from './markdown-layout.ts'

/** The first two are lines that an import reads; the others are for people. */
export type LayoutName = ExportFormat | 'markdown' | 'html'

export const LAYOUTS: readonly LayoutName[] = [...EXPORT_FORMATS, 'markdown', 'html']

export function layoutOf(name: LayoutName, lineBytes?: number): ExportLayout {
  switch (name) {
    case 'markdown':
      return MARKDOWN_LAYOUT
    case 'html':
      return HTML_LAYOUT
    case 'openai':
    case 'everthread':
      return lineLayout(name, lineBytes)
  }
}

export function isForPeople(name: LayoutName): boolean {
  return name === 'markdown' || name === 'html'
}
