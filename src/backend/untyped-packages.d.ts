// Packages without types of their own, or that are not installed here: `import()` must name them as they are.
declare module 'better-sqlite3'
declare module 'memjs'
