// PKCE: a link or a provider gives the browser a code, which only the client that asked can exchange.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { newMail } from './mails.mjs'
import { listen, newAuth, ok, refused, signedIn, signedUp, SITE, storedUser } from './support.mjs'

const newPkceAuth = () => newAuth({ flowType: 'pkce' })

/** Somebody asks for a magic link and follows it: the client that asked, and the code. */
async function magicLink(options = {}) {
  const { email, user } = await signedUp()
  const auth = newPkceAuth()
  const mail = await newMail(email, async () => ok(await auth.signInWithOtp({ email, options })))
  return { auth, email, user, mail }
}

describe('exchangeCodeForSession', () => {
  it('gives the client that asked its session', async () => {
    const { auth, user, mail } = await magicLink({ emailRedirectTo: `${SITE}/callback?next=%2Fhome` })
    assert.match(mail.tokenHash, /^pkce_/)
    const { at, code, fragment } = await mail.follow()
    assert.deepEqual(fragment, {})
    const landed = new URL(at)
    assert.equal(landed.origin + landed.pathname, `${SITE}/callback`)
    assert.equal(landed.searchParams.get('next'), '/home')

    const exchanged = ok(await auth.exchangeCodeForSession(code))
    assert.equal(exchanged.user.id, user.id)
    assert.equal(exchanged.redirectType, null)
    assert.equal((await storedUser(auth)).id, user.id)
    ok(await auth.refreshSession())
  })

  it('works once', async () => {
    const { auth, mail } = await magicLink()
    const { code } = await mail.follow()
    const verifiers = { ...auth.storage.items }
    ok(await auth.exchangeCodeForSession(code))
    Object.assign(auth.storage.items, verifiers)
    refused(await auth.exchangeCodeForSession(code), { name: 'AuthApiError', status: 404, code: 'flow_state_not_found' })
  })

  it('is of no use to another client', async () => {
    const { auth, mail } = await magicLink()
    const thief = await magicLink()
    const { code } = await mail.follow()
    refused(await thief.auth.exchangeCodeForSession(code), {
      name: 'AuthApiError',
      status: 400,
      code: 'bad_code_verifier',
    })
    ok(await auth.exchangeCodeForSession(code))
  })

  it('needs the verifier', async () => {
    refused(await newPkceAuth().exchangeCodeForSession('a-code'), { name: 'AuthPKCECodeVerifierMissingError' })
  })

  it('refuses a code nobody gave out', async () => {
    const { auth } = await magicLink()
    refused(await auth.exchangeCodeForSession('made-up'), { status: 404, code: 'flow_state_not_found' })
  })

  it('tells of a recovery', async () => {
    const { email } = await signedUp()
    const auth = newPkceAuth()
    const { events } = listen(auth)
    const mail = await newMail(email, async () => ok(await auth.resetPasswordForEmail(email)))
    const { code } = await mail.follow()
    assert.equal(ok(await auth.exchangeCodeForSession(code)).redirectType, 'recovery')
    assert.ok(events.includes('PASSWORD_RECOVERY'), events.join())
    ok(await auth.updateUser({ password: 'chosen after recovery' }))
    await signedIn({ email, password: 'chosen after recovery' })
  })
})

describe('verifyOtp', () => {
  it('takes the code of the mail from a PKCE client too', async () => {
    const { auth, email, user, mail } = await magicLink()
    assert.equal(ok(await auth.verifyOtp({ email, token: mail.code, type: 'email' })).user.id, user.id)
  })

  it('takes the token of the link from a server which renders the page', async () => {
    const { user, mail } = await magicLink()
    const { session } = ok(await newAuth().verifyOtp({ token_hash: mail.tokenHash, type: 'email' }))
    assert.equal(session.user.id, user.id)
  })
})
