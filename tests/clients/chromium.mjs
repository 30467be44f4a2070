// The Chromium of @sparticuz/chromium, with the rules of the web in force: same origin, CORS, secure contexts.
// As a program it unpacks it; os.tmpdir() says where.

import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import chromium, { inflate } from '@sparticuz/chromium'
import puppeteer from 'puppeteer-core'

const folder = (name) => join(tmpdir(), name)

/** Unpack the browser, its fonts, and the libraries which a small machine lacks. */
async function unpack() {
  await chromium.executablePath()
  await inflate(join(import.meta.dirname, 'node_modules/@sparticuz/chromium/bin/al2023.tar.br'))
  // The packed one looks for fonts where its authors run it.
  const fonts = `<fontconfig><dir>${folder('fonts')}</dir><cachedir>${folder('fonts-cache')}</cachedir></fontconfig>`
  await writeFile(folder('fonts/fonts.conf'), fonts)
}

/**
 * Start the browser.
 * @param {Record<string, number>} servers the local port behind each `host:port` that a page may name
 */
export function launch(servers) {
  const rules = Object.entries(servers).map(([host, port]) => `MAP ${host} 127.0.0.1:${port}`)
  return puppeteer.launch({
    executablePath: folder('chromium'),
    headless: 'shell',
    env: { ...process.env, LD_LIBRARY_PATH: folder('al2023/lib'), FONTCONFIG_PATH: folder('fonts') },
    args: [
      '--no-sandbox', // it opens nothing but our own pages, and may be root's
      `--host-resolver-rules=${rules.join(', ')}`,
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-quic',
      '--disable-sync',
      '--no-first-run',
    ],
  })
}

if (process.argv[1] === import.meta.filename) await unpack()
