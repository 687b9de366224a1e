{
  const { default: pg } = await import('pg')
  const client = new pg.Client(process.env['DATABASE_URL'])
  await client.connect()
  await client.query(`
    CREATE TABLE messages (id bigserial, conversation text, role text, content text, created_at timestamptz);
    INSERT INTO messages (conversation, role, content, created_at)
    SELECT 'c' || n % 2, 'user', 'message ' || n, now() FROM generate_series(1, 250) n`)
  await client.end()
}
