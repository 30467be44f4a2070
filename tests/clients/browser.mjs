// An application in a real browser, on another origin than ours: CORS lets its client send and read what it needs.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { after, before, describe, it } from 'node:test'

import { launch } from './chromium.mjs'
import { newMail } from './mails.mjs'
import { freshEmail, newAuth, ok, PASSWORD, url } from './support.mjs'

const OURS = 'http://localhost:3000' // what the gateway allows unless told otherwise
const FOREIGN = 'http://elsewhere.localhost:3000'
const AUTH = `${url}/auth/v1`
const SCREENSHOTS = process.env.CAS_SCREENSHOTS

let server, browser

/** Serves the page and the unmodified browser build of supabase-js. */
async function serve() {
  const page = await readFile(new URL('page.html', import.meta.url), 'utf8')
  const client = await readFile(new URL('node_modules/@supabase/supabase-js/dist/umd/supabase.js', import.meta.url))
  const files = {
    '/': ['text/html', page.replace('/* URL */', url)],
    '/supabase.js': ['text/javascript', client],
  }
  const answer = (request, response) => {
    const [type, content] = files[new URL(request.url, OURS).pathname] ?? []
    response.writeHead(type ? 200 : 404, { 'Content-Type': type ?? 'text/plain' }).end(content)
  }
  const listening = createServer(answer)
  await new Promise((resolve) => listening.listen(0, '127.0.0.1', resolve))
  return listening
}

before(async () => {
  server = await serve()
  const { port } = server.address()
  browser = await launch({ 'localhost:3000': port, 'elsewhere.localhost:3000': port })
  if (SCREENSHOTS) await mkdir(SCREENSHOTS, { recursive: true })
})

after(async () => {
  await browser?.close()
  server?.closeAllConnections()
  server?.close()
})

/** A tab of a browser that knows nothing yet, or of the one given. */
async function openTab(origin, { context, settings = {} } = {}) {
  const tab = await (context ?? (await browser.createBrowserContext())).newPage()
  await tab.setViewport({ width: 420, height: 640 })
  tab.on('pageerror', (error) => console.error(error))
  await tab.goto(`${origin}/?settings=${encodeURIComponent(JSON.stringify(settings))}`)
  return tab
}

/** Wait until the page shows a text. */
async function see(tab, text) {
  const shows = (wanted) => document.body.innerText.includes(wanted)
  try {
    await tab.waitForFunction(shows, { polling: 'mutation', timeout: 10_000 }, text)
  } catch {
    assert.fail(`"${text}" is not among:\n${await tab.evaluate(() => document.body.innerText)}`)
  }
}

async function screenshot(tab, name) {
  if (SCREENSHOTS) await tab.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: true })
}

/** Fill in the form of the page and press a button. */
async function submit(tab, button, { email, password = PASSWORD }) {
  for (const [id, text] of Object.entries({ email, password })) {
    await tab.$eval(`#${id}`, (input, value) => (input.value = value), text)
  }
  await tab.click(`#${button}`)
}

/** What a page's own fetch gets: `{ status, headers }` for the names asked for, or the name of the exception. */
const fetched = (tab, request, names = []) =>
  tab.evaluate(
    async ({ target, options }, wanted) => {
      try {
        const { status, headers, type } = await fetch(target, options)
        return { status, type, headers: wanted.map((name) => headers.get(name)) }
      } catch (error) {
        return error.name
      }
    },
    request,
    names,
  )

const json = (body) => ({ method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })

describe('a page of our application', () => {
  it('signs up, stays signed in when it is loaded again, and signs out', async () => {
    const email = freshEmail()
    const tab = await openTab(OURS)
    await submit(tab, 'sign-up', { email })
    await see(tab, `${email} is signed in`)
    await screenshot(tab, 'signed-up')

    await tab.reload()
    await see(tab, `${email} is signed in`)
    assert.equal(await tab.evaluate(async () => (await auth.getUser()).data.user.email), email)

    await submit(tab, 'sign-out', { email })
    await see(tab, 'Nobody is signed in')
  })

  it('signs in, and reads why it was refused', async () => {
    const email = freshEmail()
    const tab = await openTab(OURS)
    await submit(tab, 'sign-up', { email })
    await see(tab, `${email} is signed in`)

    const other = await openTab(OURS)
    await submit(other, 'sign-in', { email, password: 'not this one' })
    await see(other, 'AuthApiError: Invalid login credentials')
    await screenshot(other, 'refused')
    await submit(other, 'sign-in', { email })
    await see(other, `${email} is signed in`)
  })

  it('verifies its token with WebCrypto by our published keys', async () => {
    const email = freshEmail()
    const tab = await openTab(OURS)
    await submit(tab, 'sign-up', { email })
    await see(tab, `${email} is signed in`)
    const asked = []
    tab.on('request', (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`))
    assert.equal(await tab.evaluate(async () => (await auth.getClaims()).data.claims.email), email)
    assert.ok(asked.includes('GET /auth/v1/.well-known/jwks.json'))
    assert.ok(!asked.includes('GET /auth/v1/user'))
  })

  it('may have two tabs that renew the same token at once', async () => {
    const context = await browser.createBrowserContext()
    const email = freshEmail()
    const first = await openTab(OURS, { context })
    await submit(first, 'sign-up', { email })
    await see(first, `${email} is signed in`)
    const second = await openTab(OURS, { context })
    await see(second, `${email} is signed in`)

    await first.evaluate(() => {
      const [key] = Object.keys(localStorage).filter((name) => name.endsWith('-auth-token'))
      localStorage.setItem(key, JSON.stringify({ ...JSON.parse(localStorage.getItem(key)), expires_at: 1 }))
    })
    const wake = (tab) => tab.evaluate(async () => (await auth.getSession()).data.session?.refresh_token)
    const [one, other] = await Promise.all([wake(first), wake(second)])
    assert.ok(one)
    assert.equal(one, other)
    for (const tab of [first, second]) {
      assert.equal(await tab.evaluate(async () => (await auth.getUser()).data.user.email), email)
    }
  })

  it('reads the headers its client looks at', async () => {
    const tab = await openTab(OURS)
    const refusal = await fetched(
      tab,
      { target: `${AUTH}/token?grant_type=password`, options: json({ email: freshEmail(), password: 'wrong one' }) },
      ['X-Supabase-Api-Version', 'X-Request-Id'],
    )
    assert.equal(refusal.status, 400)
    assert.equal(refusal.headers[0], '2024-01-01')
    assert.ok(refusal.headers[1])
  })

  it('reads when it may try again after too many attempts', async () => {
    const tab = await openTab(OURS)
    const request = { target: `${AUTH}/signup`, options: json({ email: freshEmail(), password: PASSWORD }) }
    let answer
    for (let attempt = 0; attempt < 15 && answer?.status !== 429; attempt++) {
      answer = await fetched(tab, request, ['Retry-After'])
    }
    assert.equal(answer.status, 429)
    assert.ok(Number(answer.headers[0]) > 0, `Retry-After: ${answer.headers[0]}`)
  })
})

describe('a mailed link', () => {
  it('shows a page with a button, which leads back to the application with a session', async () => {
    const email = freshEmail()
    const mail = await newMail(email, async () =>
      ok(await newAuth().signInWithOtp({ email, options: { emailRedirectTo: `${OURS}/` } })),
    )
    const tab = await (await browser.createBrowserContext()).newPage()
    await tab.setViewport({ width: 420, height: 640 })
    await tab.goto(mail.link)
    await screenshot(tab, 'link-page')
    await Promise.all([tab.waitForNavigation(), tab.click('button')])
    await see(tab, `${email} is signed in`)
    assert.equal(await tab.evaluate(() => location.hash), '')
    await screenshot(tab, 'link-followed')
  })

  it('that was used says so in the application', async () => {
    const email = freshEmail()
    const mail = await newMail(email, async () => ok(await newAuth().signInWithOtp({ email })))
    await mail.follow()
    const tab = await (await browser.createBrowserContext()).newPage()
    await tab.goto(mail.link)
    await Promise.all([tab.waitForNavigation(), tab.click('button')])
    await see(tab, 'Nobody is signed in')
    assert.equal(await tab.evaluate(async () => (await auth.initialize()).error.details.code), 'otp_expired')
    assert.equal(await tab.evaluate(() => new URLSearchParams(location.search).get('error_code')), 'otp_expired')
  })
})

describe('a provider', () => {
  it('sends the browser back with a code, which the client exchanges by itself', async () => {
    const sub = randomUUID()
    const email = freshEmail('grace')
    const known = { email, email_verified: true, name: 'Grace Hopper' }
    await fetch(`${process.env.CAS_PROVIDER}/people/${sub}`, { ...json(known), method: 'PUT' })
    const settings = { flowType: 'pkce' }
    const tab = await openTab(OURS, { settings })
    await Promise.all([
      tab.waitForNavigation(),
      tab.evaluate(
        (options) => auth.signInWithOAuth({ provider: 'google', options }),
        { redirectTo: tab.url(), queryParams: { login_hint: sub } },
      ),
    ])
    await see(tab, `${email} is signed in`)
    assert.equal(new URL(tab.url()).searchParams.get('code'), null)
    await screenshot(tab, 'back-from-the-provider')
  })
})

describe('a second factor', () => {
  it('has a picture that browsers draw', async () => {
    const email = freshEmail()
    const tab = await openTab(OURS)
    await submit(tab, 'sign-up', { email })
    await see(tab, `${email} is signed in`)
    const drawn = await tab.evaluate(async () => {
      const { data } = await auth.mfa.enroll({ factorType: 'totp', friendlyName: 'My phone' })
      const picture = Object.assign(new Image(), { src: data.totp.qr_code, width: 240 })
      document.body.append(picture)
      await picture.decode()
      return picture.naturalWidth
    })
    assert.ok(drawn > 20)
    await screenshot(tab, 'qr-code')
  })
})

describe('a page of administrators', () => {
  it('reads the headers of pages of users', async () => {
    const tab = await openTab(OURS)
    const headers = { Authorization: `Bearer ${process.env.CAS_SERVICE_TOKEN}` }
    const answer = await fetched(
      tab,
      { target: `${AUTH}/admin/users?page=1&per_page=1`, options: { headers } },
      ['X-Total-Count', 'Link'],
    )
    assert.equal(answer.status, 200)
    assert.ok(Number(answer.headers[0]) > 1)
    assert.match(answer.headers[1], /rel="next"/)
  })
})

describe('a page of somebody else', () => {
  it('cannot use the client', async () => {
    const tab = await openTab(FOREIGN)
    await submit(tab, 'sign-up', { email: freshEmail() })
    await see(tab, 'AuthRetryableFetchError')
    await screenshot(tab, 'foreign')
    assert.ok(!(await tab.evaluate(() => document.body.innerText)).includes('SIGNED_IN'))
  })

  it('reads no answer, also of a call that needs no permission to be sent', async () => {
    const tab = await openTab(FOREIGN)
    assert.equal(await fetched(tab, { target: `${AUTH}/settings` }), 'TypeError')
    const blind = await fetched(tab, { target: `${AUTH}/settings`, options: { mode: 'no-cors' } }, ['Content-Type'])
    assert.deepEqual(blind, { status: 0, type: 'opaque', headers: [null] })
  })
})
