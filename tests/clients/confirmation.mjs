// Addresses that count only once somebody has read their mail.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'

import { mailsTo, newMail } from './mails.mjs'
import {
  claims,
  freshEmail,
  memoryStorage,
  newAuth,
  ok,
  PASSWORD,
  refused,
  signedIn,
  SITE,
  storedUser,
} from './support.mjs'

const NOT_CONFIRMED = { name: 'AuthApiError', status: 400, code: 'email_not_confirmed' }

/** Somebody who has signed up and read the mail. */
async function confirmed() {
  const auth = newAuth()
  const email = freshEmail()
  const mail = await newMail(email, async () => ok(await auth.signUp({ email, password: PASSWORD })))
  const { user } = ok(await auth.verifyOtp({ email, token: mail.code, type: 'signup' }))
  return { auth, email, user }
}

describe('signUp', () => {
  it('gives no session before the address is confirmed with the mailed code', async () => {
    const auth = newAuth()
    const email = freshEmail()
    const mail = await newMail(email, async () => {
      const { user, session } = ok(
        await auth.signUp({ email, password: PASSWORD, options: { data: { full_name: 'Ada' } } }),
      )
      assert.equal(session, null)
      assert.equal(user.email, email)
      assert.equal(user.email_confirmed_at, undefined)
      assert.equal(user.identities.length, 1)
    })
    refused(await newAuth().signInWithPassword({ email, password: PASSWORD }), NOT_CONFIRMED)

    const { user, session } = ok(await auth.verifyOtp({ email, token: mail.code, type: 'signup' }))
    assert.ok(user.email_confirmed_at)
    assert.equal(user.user_metadata.full_name, 'Ada')
    assert.equal(claims(session.access_token).amr[0].method, 'email/signup')
    assert.equal((await storedUser(await signedIn({ email }))).id, user.id)
  })

  it('takes the code under the type email as well', async () => {
    const auth = newAuth()
    const email = freshEmail()
    const mail = await newMail(email, async () => ok(await auth.signUp({ email, password: PASSWORD })))
    ok(await auth.verifyOtp({ email, token: mail.code, type: 'email' }))
  })

  it('confirms by the link, and the application finds the session in the address', async () => {
    const email = freshEmail()
    const mail = await newMail(email, async () =>
      ok(await newAuth().signUp({ email, password: PASSWORD, options: { emailRedirectTo: `${SITE}/hello` } })),
    )
    const { at, fragment } = await mail.follow()
    assert.equal(at, `${SITE}/hello`)
    assert.equal(fragment.type, 'signup')
    assert.equal(ok(await newAuth().setSession(fragment)).user.email, email)
    await signedIn({ email })
  })

  it('confirms by the link of a PKCE client, which exchanges the code', async () => {
    const auth = newAuth({ flowType: 'pkce', storage: memoryStorage() })
    const email = freshEmail()
    const mail = await newMail(email, async () => ok(await auth.signUp({ email, password: PASSWORD })))
    const { code } = await mail.follow()
    const { session } = ok(await auth.exchangeCodeForSession(code))
    assert.equal(session.user.email, email)
    assert.ok((await storedUser(auth)).email_confirmed_at)
  })

  it('answers for a known address as for a new one, but without identities, and tells its owner', async () => {
    const { email, user } = await confirmed()
    const mail = await newMail(email, async () => {
      const repeated = ok(await newAuth().signUp({ email, password: 'somebody elses password' }))
      assert.equal(repeated.session, null)
      assert.equal(repeated.user.email, email)
      assert.notEqual(repeated.user.id, user.id)
      assert.deepEqual(repeated.user.identities, [])
    })
    assert.equal(mail.code, null)
    await signedIn({ email })
    refused(await newAuth().signInWithPassword({ email, password: 'somebody elses password' }), {
      code: 'invalid_credentials',
    })
  })
})

describe('resend', () => {
  it('sends the confirmation again; only the newest code works', async () => {
    const auth = newAuth()
    const email = freshEmail()
    const first = await newMail(email, async () => ok(await auth.signUp({ email, password: PASSWORD })))
    const second = await newMail(email, async () => ok(await auth.resend({ type: 'signup', email })))
    if (first.code !== second.code) {
      refused(await auth.verifyOtp({ email, token: first.code, type: 'signup' }), { code: 'otp_expired' })
    }
    ok(await auth.verifyOtp({ email, token: second.code, type: 'signup' }))
  })

  it('sends a change of the address again', async () => {
    const { auth, email } = await confirmed()
    const address = freshEmail('new')
    await newMail(address, async () => ok(await auth.updateUser({ email: address })))
    for (const asked of [email, address]) {
      const mail = await newMail(address, async () => ok(await auth.resend({ type: 'email_change', email: asked })))
      assert.ok(mail.code)
    }
  })
})

describe('updateUser with another address', () => {
  /** A change under way: both mails. */
  async function change({ auth, email }, address) {
    let current
    const next = await newMail(address, async () => {
      current = await newMail(email, async () => {
        const { user } = ok(await auth.updateUser({ email: address }))
        assert.equal(user.email, email)
        assert.equal(user.new_email, address)
        assert.ok(user.email_change_sent_at)
      })
    })
    return { current, next }
  }

  it('changes it when both addresses agree', async () => {
    const person = await confirmed()
    const address = freshEmail('new')
    const { current, next } = await change(person, address)

    const half = ok(await newAuth().verifyOtp({ email: person.email, token: current.code, type: 'email_change' }))
    assert.deepEqual(half, { user: null, session: null })
    assert.equal((await storedUser(person.auth)).email, person.email)

    const { user } = ok(await newAuth().verifyOtp({ email: address, token: next.code, type: 'email_change' }))
    assert.equal(user.email, address)
    assert.ok(!user.new_email)
    assert.equal(user.identities[0].email, address)
    assert.equal((await storedUser(await signedIn({ email: address }))).id, person.user.id)
    refused(await newAuth().signInWithPassword({ email: person.email, password: PASSWORD }), {
      code: 'invalid_credentials',
    })
  })

  it('takes the two links in any order', async () => {
    const person = await confirmed()
    const address = freshEmail('new')
    const { current, next } = await change(person, address)
    const half = await next.follow()
    assert.ok(half.fragment.message, JSON.stringify(half))
    assert.equal(half.fragment.access_token, undefined)
    const whole = await current.follow()
    assert.equal(ok(await newAuth().setSession(whole.fragment)).user.email, address)
  })

  it('refuses an address that somebody else has', async () => {
    const [person, other] = [await confirmed(), await confirmed()]
    refused(await person.auth.updateUser({ email: other.email }), { status: 422, code: 'email_exists' })
    assert.equal((await mailsTo(other.email)).length, 1)
  })
})
