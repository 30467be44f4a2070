// Sessions and their tokens: read, verify, renew, hand over, end.

import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'

import {
  claims,
  expired,
  listen,
  memoryStorage,
  newAuth,
  ok,
  refused,
  sessionId,
  signedIn,
  signedUp,
  storedUser,
  TAB_KEY,
  tabWith,
  url,
} from './support.mjs'

describe('getSession', () => {
  it('asks nothing of the server while the token is fresh', async () => {
    const { auth, session } = await signedUp()
    const before = auth.requests.length
    assert.deepEqual(ok(await auth.getSession()).session, session)
    assert.equal(auth.requests.length, before)
  })

  it('has none before somebody signs in', async () => {
    assert.equal(ok(await newAuth().getSession()).session, null)
  })

  it('renews an expired one, once for all who ask', async () => {
    const { session } = await signedUp()
    const auth = tabWith(expired(session))
    const answers = await Promise.all(Array.from({ length: 10 }, () => auth.getSession()))
    const tokens = new Set(answers.map((answer) => ok(answer).session.refresh_token))
    assert.equal(tokens.size, 1)
    assert.ok(!tokens.has(session.refresh_token))
  })
})

describe('getUser', () => {
  it('gives the user of the session, or of a token', async () => {
    const { auth, user, session } = await signedUp()
    assert.equal((await storedUser(auth)).id, user.id)
    assert.equal(ok(await newAuth().getUser(session.access_token)).user.id, user.id)
  })

  it('refuses a token whose signature is not ours', async () => {
    const { session } = await signedUp()
    const [header, payload] = session.access_token.split('.')
    const forged = [header, payload, Buffer.alloc(64, 7).toString('base64url')].join('.')
    const { error } = await newAuth().getUser(forged)
    assert.ok([401, 403].includes(error.status))
    assert.equal(error.code, 'bad_jwt')
    assert.match(error.message, /^invalid JWT/)
  })

  it('needs a session', async () => {
    refused(await newAuth().getUser(), { name: 'AuthSessionMissingError' })
  })
})

describe('getClaims', () => {
  it('verifies ES256 by the published keys, without asking for the user', async () => {
    const { auth, user, session, email } = await signedUp()
    auth.requests.length = 0
    const cold = ok(await auth.getClaims())
    const warm = ok(await auth.getClaims())
    assert.deepEqual(auth.requests, ['GET /auth/v1/.well-known/jwks.json'])
    assert.deepEqual(warm.claims, cold.claims)
    assert.equal(cold.header.alg, 'ES256')
    assert.ok(cold.header.kid)
    assert.deepEqual(cold.claims, claims(session.access_token))
    assert.equal(cold.claims.iss, `${url}/auth/v1`)
    assert.equal(cold.claims.sub, user.id)
    assert.equal(cold.claims.aud, 'authenticated')
    assert.equal(cold.claims.role, 'authenticated')
    assert.equal(cold.claims.email, email)
    assert.equal(cold.claims.phone, '')
    assert.equal(cold.claims.aal, 'aal1')
    assert.equal(cold.claims.amr[0].method, 'password')
    assert.equal(cold.claims.is_anonymous, false)
    assert.equal(cold.claims.exp - cold.claims.iat, session.expires_in)
  })

  it('refuses claims that were changed', async () => {
    const { auth, session } = await signedUp()
    const [header, payload, signature] = session.access_token.split('.')
    const changed = { ...claims(session.access_token), role: 'service_role' }
    const forged = [header, Buffer.from(JSON.stringify(changed)).toString('base64url'), signature].join('.')
    assert.notEqual(forged.split('.')[1], payload)
    refused(await auth.getClaims(forged), { name: 'AuthInvalidJwtError' })
  })

  it('refuses an expired token', async () => {
    const { auth, session } = await signedUp()
    mock.timers.enable({ apis: ['Date'], now: (session.expires_at + 1) * 1000 })
    try {
      refused(await auth.getClaims(session.access_token), { name: 'AuthInvalidJwtError', code: 'invalid_jwt' })
      ok(await auth.getClaims(session.access_token, { allowExpired: true }))
    } finally {
      mock.timers.reset()
    }
  })

  it('asks the server when the key is not published', async () => {
    const { auth, session } = await signedUp()
    auth.requests.length = 0
    const otherKeys = { keys: [{ kid: 'another', kty: 'EC' }] }
    const { claims: verified } = ok(await auth.getClaims(session.access_token, { jwks: otherKeys }))
    assert.equal(verified.sub, session.user.id)
  })
})

describe('refreshSession', () => {
  it('gives new tokens of the same session', async () => {
    const { auth, session } = await signedUp()
    const renewed = ok(await auth.refreshSession()).session
    assert.notEqual(renewed.refresh_token, session.refresh_token)
    assert.equal(sessionId(renewed), sessionId(session))
    assert.deepEqual(ok(await auth.getSession()).session, renewed)
    await storedUser(auth)
  })

  it('takes a session that was kept elsewhere', async () => {
    const { session, user } = await signedUp()
    const auth = newAuth()
    assert.equal(ok(await auth.refreshSession({ refresh_token: session.refresh_token })).user.id, user.id)
    await storedUser(auth)
  })

  it('carries changes of the user into the next token', async () => {
    const { auth } = await signedUp()
    ok(await auth.updateUser({ data: { full_name: 'Countess of Lovelace' } }))
    const { session } = ok(await auth.refreshSession())
    assert.equal(claims(session.access_token).user_metadata.full_name, 'Countess of Lovelace')
  })

  it('gives two tabs that renew at once the same token, and both go on', async () => {
    const { session } = await signedUp()
    const tabs = [tabWith(session), tabWith(session)]
    const renewed = await Promise.all(tabs.map(async (tab) => ok(await tab.refreshSession()).session))
    assert.equal(renewed[0].refresh_token, renewed[1].refresh_token)
    for (const tab of tabs) {
      ok(await tab.refreshSession())
      await storedUser(tab)
    }
  })

  it('forgives a client whose answer was lost', async () => {
    const { session } = await signedUp()
    const lost = ok(await tabWith(session).refreshSession()).session
    const again = ok(await tabWith(session).refreshSession()).session
    assert.equal(again.refresh_token, lost.refresh_token)
  })

  it('refuses a token nobody gave out, and signs nobody out for it', async () => {
    const { auth } = await signedUp()
    const { error } = await auth.refreshSession({ refresh_token: 'AAAAAAAAAAAA' })
    assert.equal(error.name, 'AuthApiError')
    assert.equal(error.status, 400)
    assert.ok(['refresh_token_not_found', 'validation_failed'].includes(error.code), error.code)
    await storedUser(auth)
  })
})

describe('setSession', () => {
  it('adopts the session of another client', async () => {
    const { session, user } = await signedUp()
    const auth = newAuth()
    const adopted = ok(await auth.setSession(session))
    assert.equal(adopted.user.id, user.id)
    assert.equal((await storedUser(auth)).id, user.id)
  })

  it('refuses a session that has ended', async () => {
    const { auth, session } = await signedUp()
    ok(await auth.signOut())
    refused(await newAuth().setSession(session), { name: 'AuthSessionMissingError' })
  })
})

describe('signOut', () => {
  /** One person on three devices. */
  async function threeDevices() {
    const { auth, email } = await signedUp()
    return [auth, await signedIn({ email }), await signedIn({ email })]
  }

  const isSignedIn = async (auth) => (await auth.getUser()).error === null

  for (const [scope, remaining] of [
    ['global', [false, false, false]],
    ['local', [false, true, true]],
    ['others', [true, false, false]],
  ]) {
    it(`${scope} ends what it says`, async () => {
      const devices = await threeDevices()
      const { session } = ok(await devices[0].getSession())
      ok(await devices[0].signOut({ scope }))
      assert.deepEqual(await Promise.all(devices.map(isSignedIn)), remaining)
      const { error } = await newAuth().getUser(session.access_token)
      assert.equal(error?.name ?? null, scope === 'others' ? null : 'AuthSessionMissingError')
    })
  }

  it('makes the refresh token useless', async () => {
    const { auth, session } = await signedUp()
    ok(await auth.signOut({ scope: 'local' }))
    refused(await newAuth().refreshSession(session), { status: 400, code: 'refresh_token_not_found' })
  })

  it('is no error for who has no session', async () => {
    ok(await newAuth().signOut())
  })

  it('drops the local session when the server has ended it', async () => {
    const [here, there] = await threeDevices()
    ok(await here.signOut({ scope: 'others' }))
    refused(await there.getUser(), { name: 'AuthSessionMissingError' })
    assert.equal(ok(await there.getSession()).session, null)
  })
})

describe('onAuthStateChange', () => {
  it('tells of everything that happens to a session, until unsubscribed', async () => {
    const { session } = await signedUp()
    const auth = newAuth()
    const { events, next, subscription } = listen(auth)
    await next('INITIAL_SESSION')
    ok(await auth.setSession(session))
    ok(await auth.refreshSession())
    ok(await auth.updateUser({ data: { mood: 'cheerful' } }))
    ok(await auth.signOut())
    assert.deepEqual(events, ['INITIAL_SESSION', 'SIGNED_IN', 'TOKEN_REFRESHED', 'USER_UPDATED', 'SIGNED_OUT'])
    subscription.unsubscribe()
    await signedUp()
    assert.equal(events.length, 5)
  })
})

describe('automatic refresh', () => {
  it('renews an expired session at the start', async () => {
    const { session } = await signedUp()
    const auth = tabWith(expired(session), { autoRefreshToken: true })
    const { next } = listen(auth)
    const initial = await next('INITIAL_SESSION')
    assert.notEqual(initial.refresh_token, session.refresh_token)
    await auth.stopAutoRefresh()
  })

  it('lets two tabs with one storage renew the same token at once', async () => {
    const { session } = await signedUp()
    const storage = memoryStorage({ [TAB_KEY]: JSON.stringify(expired(session)) })
    const tabs = [0, 1].map(() => tabWith(session, { storage, autoRefreshToken: true }))
    await Promise.all(tabs.map((tab) => tab.initialize()))
    for (const tab of tabs) {
      await storedUser(tab)
      await tab.dispose()
    }
  })

  it('starts and stops on demand', async () => {
    const { session } = await signedUp()
    const auth = tabWith(expired(session))
    const { next } = listen(auth)
    const refreshed = next('TOKEN_REFRESHED')
    await auth.startAutoRefresh()
    assert.notEqual((await refreshed).refresh_token, session.refresh_token)
    await auth.stopAutoRefresh()
    await auth.dispose()
  })
})

describe('throwOnError', () => {
  it('makes an exception of a refusal', async () => {
    const auth = newAuth({ throwOnError: true })
    assert.equal(auth.isThrowOnErrorEnabled(), true)
    await assert.rejects(auth.signInWithPassword({ email: 'nobody@example.com', password: 'whatever it was' }), {
      name: 'AuthApiError',
      code: 'invalid_credentials',
    })
  })
})
