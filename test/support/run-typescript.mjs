// Runs a TypeScript module in this process: `node run-typescript.mjs FILE ARGUMENTS…`. For tests
// that need a process of their own, which they kill; Node 20 cannot read the sources itself.
import { createViteServer } from 'vitest/node'

const server = await createViteServer({
  configFile: false,
  root: new URL('../../', import.meta.url).pathname,
  appType: 'custom',
  logLevel: 'error',
  server: { middlewareMode: true, hmr: false, watch: null, ws: false },
  optimizeDeps: { noDiscovery: true },
})
await server.ssrLoadModule(process.argv[2])
await server.close()
