server.closeAllConnections()
server.close()
await served.close()
