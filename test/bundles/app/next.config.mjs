// All defaults; or, with STANDALONE, what docs/deploying.md has for a container.
const standalone = {
  output: 'standalone',
  serverExternalPackages: ['everthread', '@photostructure/sqlite'],
  outputFileTracingIncludes: {
    '/*': ['node_modules/everthread/dist/**/*.js', 'node_modules/@photostructure/sqlite/**'],
  },
}

export default {
  distDir: process.env.DIST,
  ...(process.env.STANDALONE !== undefined && standalone),
}
