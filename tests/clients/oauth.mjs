// Signing in with Google, played by an OpenID Connect provider on this machine, and joining ways to sign in.

import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'

import {
  claims,
  freshEmail,
  newAdmin,
  newAuth,
  ok,
  PASSWORD,
  refused,
  sessionId,
  signedIn,
  signedUp,
  SITE,
  storedUser,
  url,
} from './support.mjs'

const PROVIDER = process.env.CAS_PROVIDER
const CALLBACK = `${SITE}/callback`

/** Somebody with an account at the provider. */
async function person({ email = freshEmail('grace'), email_verified = true, name = 'Grace Hopper' } = {}) {
  const sub = randomUUID()
  const answer = await fetch(`${PROVIDER}/people/${sub}`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email, email_verified, name, picture: 'https://example.com/grace.png' }),
  })
  assert.equal(answer.status, 200)
  return { sub, email, name }
}

const asked = ({ sub }, more = {}) => ({ redirectTo: CALLBACK, queryParams: { login_hint: sub, ...more } })

/** Follow redirects as a browser does, until one leaves for the application; where it leads, as for a mailed link. */
async function travel(start) {
  const cookies = {}
  for (let at = new URL(start), hops = 0; hops < 10; hops++) {
    const jar = Object.entries(cookies[at.origin] ?? {}).map(([name, value]) => `${name}=${value}`)
    const answer = await fetch(at, { redirect: 'manual', headers: jar.length ? { Cookie: jar.join('; ') } : {} })
    assert.ok([302, 303].includes(answer.status), `${answer.status} at ${at}: ${await answer.text()}`)
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/)
      cookies[at.origin] = { ...cookies[at.origin], [name]: value }
    }
    at = new URL(answer.headers.get('location'), at)
    if (at.origin === SITE) {
      const fragment = Object.fromEntries(new URLSearchParams(at.hash.slice(1)))
      at.hash = ''
      return { at: at.href, fragment, code: at.searchParams.get('code') }
    }
  }
  return assert.fail('redirected in circles')
}

/** Sign in at the provider with an implicit client. */
async function signInWithProvider(who) {
  const auth = newAuth()
  const { url: start } = ok(await auth.signInWithOAuth({ provider: 'google', options: asked(who) }))
  const { fragment } = await travel(start)
  assert.ok(fragment.access_token, JSON.stringify(fragment))
  const { user } = ok(await auth.setSession(fragment))
  return { auth, user, fragment }
}

const providers = (user) => user.identities.map((identity) => identity.provider).sort()

describe('signInWithOAuth', () => {
  it('sends the browser to the provider without a request', async () => {
    const auth = newAuth()
    const { provider, url: start } = ok(await auth.signInWithOAuth({ provider: 'google', options: { scopes: 'email' } }))
    assert.equal(provider, 'google')
    assert.ok(start.startsWith(`${url}/auth/v1/authorize?provider=google`))
    assert.deepEqual(auth.requests, [])
    const { location } = Object.fromEntries((await fetch(start, { redirect: 'manual' })).headers)
    assert.ok(location.startsWith(`${PROVIDER}/authorize`))
  })

  it('makes a user of a person the provider knows', async () => {
    const who = await person()
    const { auth, user, fragment } = await signInWithProvider(who)
    assert.equal(user.email, who.email)
    assert.ok(user.email_confirmed_at)
    assert.equal(user.app_metadata.provider, 'google')
    assert.equal(user.user_metadata.full_name, who.name)
    const [identity] = user.identities
    assert.equal(identity.provider, 'google')
    assert.equal(identity.id, who.sub)
    assert.equal(identity.identity_data.email, who.email)
    assert.ok(fragment.provider_token)
    const { amr } = claims(fragment.access_token)
    assert.equal(amr[0].method, 'oauth')
    assert.equal((await storedUser(auth)).id, user.id)
    ok(await auth.refreshSession())
  })

  it('knows them again', async () => {
    const who = await person()
    const [first, second] = [await signInWithProvider(who), await signInWithProvider(who)]
    assert.equal(second.user.id, first.user.id)
    assert.notEqual(sessionId(second.fragment), sessionId(first.fragment))
  })

  it('gives a PKCE client a code, and the tokens of the provider with the session', async () => {
    const who = await person()
    const auth = newAuth({ flowType: 'pkce' })
    const { url: start } = ok(await auth.signInWithOAuth({ provider: 'google', options: asked(who) }))
    const { at, code, fragment } = await travel(start)
    assert.ok(at.startsWith(CALLBACK))
    assert.deepEqual(fragment, {})
    const { user, session } = ok(await auth.exchangeCodeForSession(code))
    assert.equal(user.email, who.email)
    assert.ok(session.provider_token)
    assert.equal((await storedUser(auth)).id, user.id)
  })

  it('comes back with the reason when the person says no', async () => {
    const who = await person()
    const { url: start } = ok(
      await newAuth().signInWithOAuth({ provider: 'google', options: asked(who, { consent: 'refused' }) }),
    )
    const { fragment } = await travel(start)
    assert.equal(fragment.error, 'access_denied')
    assert.ok(fragment.error_description)
    assert.equal(fragment.access_token, undefined)
  })

  it('refuses a provider that is not set up', async () => {
    const { url: start } = ok(await newAuth().signInWithOAuth({ provider: 'myspace' }))
    const answer = await fetch(start, { redirect: 'manual' })
    assert.equal(answer.status, 400)
    const { error_code, msg } = await answer.json()
    assert.equal(error_code, 'validation_failed')
    assert.match(msg, /^Unsupported provider/)
  })

  it('leads nowhere but to the site and its friends', async () => {
    const options = { ...asked(await person()), redirectTo: 'https://evil.example/steal' }
    const { url: start } = ok(await newAuth().signInWithOAuth({ provider: 'google', options }))
    assert.equal(new URL((await travel(start)).at).origin, SITE)
  })
})

describe('a verified address', () => {
  it('joins the provider to the user who has it', async () => {
    const { email, user } = await signedUp()
    const joined = await signInWithProvider(await person({ email }))
    assert.equal(joined.user.id, user.id)
    assert.deepEqual(providers(joined.user), ['email', 'google'])
    assert.deepEqual([...joined.user.app_metadata.providers].sort(), ['email', 'google'])
    await signedIn({ email })
  })

  it('takes the account of its owner back from who registered it first', async () => {
    const email = freshEmail('victim')
    const { user } = ok(await newAdmin().createUser({ email, password: 'of the attacker 1' }))
    assert.equal(user.email_confirmed_at, undefined)
    const joined = await signInWithProvider(await person({ email }))
    assert.deepEqual(providers(joined.user), ['google'])
    refused(await newAuth().signInWithPassword({ email, password: 'of the attacker 1' }), {
      code: 'invalid_credentials',
    })
  })
})

describe('an address which the provider does not vouch for', () => {
  it('joins nothing', async () => {
    const { email, user, auth } = await signedUp()
    const options = asked(await person({ email, email_verified: false }))
    const { url: start } = ok(await newAuth().signInWithOAuth({ provider: 'google', options }))
    const { fragment } = await travel(start)
    if (fragment.access_token) assert.notEqual(claims(fragment.access_token).sub, user.id)
    assert.deepEqual(providers(await storedUser(auth)), ['email'])
  })
})

describe('linkIdentity', () => {
  it('joins an account at the provider to who is signed in', async () => {
    const { auth, user } = await signedUp()
    const who = await person()
    const { url: start } = ok(await auth.linkIdentity({ provider: 'google', options: asked(who) }))
    assert.ok(start.startsWith(PROVIDER))
    await travel(start)
    const { identities } = ok(await auth.getUserIdentities())
    assert.deepEqual(
      identities.map((identity) => identity.provider),
      ['email', 'google'],
    )
    assert.equal((await signInWithProvider(who)).user.id, user.id)
  })

  it('makes a user of a visitor', async () => {
    const auth = newAuth()
    const { user } = ok(await auth.signInAnonymously())
    const who = await person()
    const { url: start } = ok(await auth.linkIdentity({ provider: 'google', options: asked(who) }))
    await travel(start)
    const { session } = ok(await auth.refreshSession())
    assert.equal(session.user.id, user.id)
    assert.equal(session.user.is_anonymous, false)
    assert.equal(session.user.email, who.email)
  })

  it('refuses an account that another user has', async () => {
    const who = await person()
    await signInWithProvider(who)
    const { auth } = await signedUp()
    const { url: start } = ok(await auth.linkIdentity({ provider: 'google', options: asked(who) }))
    const { fragment } = await travel(start)
    assert.equal(fragment.error_code, 'identity_already_exists')
    assert.deepEqual(providers(await storedUser(auth)), ['email'])
  })

  it('needs a session', async () => {
    const { error } = await newAuth().linkIdentity({ provider: 'google' })
    assert.ok([401, 403].includes(error.status))
  })
})

describe('unlinkIdentity', () => {
  it('takes one of several ways away, and never the last', async () => {
    const { email } = await signedUp()
    const who = await person({ email })
    const { auth } = await signInWithProvider(who)
    const identity = ok(await auth.getUserIdentities()).identities.find(({ provider }) => provider === 'google')
    ok(await auth.unlinkIdentity(identity))
    const [last, ...others] = ok(await auth.getUserIdentities()).identities
    assert.deepEqual(others, [])
    assert.equal(last.provider, 'email')
    refused(await auth.unlinkIdentity(last), { status: 422, code: 'single_identity_not_deletable' })
    refused(await auth.unlinkIdentity(identity), { status: 422, code: 'single_identity_not_deletable' })
    await signedIn({ email, password: PASSWORD })
  })

  it('knows only identities of its own user', async () => {
    const { user: other } = await signInWithProvider(await person())
    const { email } = await signedUp()
    const { auth } = await signInWithProvider(await person({ email }))
    refused(await auth.unlinkIdentity(other.identities[0]), { status: 422, code: 'identity_not_found' })
  })
})

describe('signInWithIdToken', () => {
  // Made before this file began: `plain` and `nonce` are of one person each, the others must not work.
  const { plain, nonce, linked, expired, foreignAudience, foreignIssuer } = JSON.parse(process.env.CAS_ID_TOKENS)
  const signIn = (token, more = {}) => newAuth().signInWithIdToken({ provider: 'google', token, ...more })

  it('signs in who shows a token of the provider', async () => {
    const { user, session } = ok(await signIn(plain.token))
    assert.equal(user.email, plain.email)
    assert.equal(user.identities[0].id, plain.sub)
    assert.equal(claims(session.access_token).amr[0].method, 'oauth')
    assert.equal(ok(await signIn(plain.token)).user.id, user.id)
  })

  it('compares the nonce', async () => {
    assert.equal(createHash('sha256').update(nonce.nonce).digest('hex'), claims(nonce.token).nonce)
    ok(await signIn(nonce.token, { nonce: nonce.nonce }))
    refused(await signIn(nonce.token, { nonce: 'another one' }), { name: 'AuthApiError', status: 400 })
    refused(await signIn(nonce.token), { name: 'AuthApiError', status: 400 })
    refused(await signIn(plain.token, { nonce: nonce.nonce }), { name: 'AuthApiError', status: 400 })
  })

  it('refuses tokens that are not for us, of others, old, or changed', async () => {
    const [header, payload, signature] = plain.token.split('.')
    const other = Buffer.from(JSON.stringify({ ...claims(plain.token), sub: 'somebody-else' })).toString('base64url')
    const tokens = [expired, foreignAudience, foreignIssuer, [header, other, signature].join('.'), payload]
    for (const token of tokens) refused(await signIn(token), { name: 'AuthApiError', status: 400 })
  })

  it('refuses a provider that is not set up', async () => {
    refused(await signIn(plain.token, { provider: 'apple' }), { name: 'AuthApiError', status: 400 })
  })

  it('links an account to who is signed in', async () => {
    const { auth, user } = await signedUp()
    const { session } = ok(await auth.linkIdentity({ provider: 'google', token: linked.token }))
    assert.equal(session.user.id, user.id)
    assert.deepEqual(providers(await storedUser(auth)), ['email', 'google'])
    assert.equal(ok(await signIn(linked.token)).user.id, user.id)
  })
})
