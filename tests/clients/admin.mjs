// Administration by a trusted server.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'

import { newMail } from './mails.mjs'
import {
  claims,
  freshEmail,
  newAdmin,
  newAuth,
  ok,
  PASSWORD,
  refused,
  signedIn,
  signedUp,
  SITE,
  storedUser,
} from './support.mjs'

const admin = newAdmin()
const known = async (id) => ok(await admin.getUserById(id)).user
const create = async (attributes = {}) => {
  const email = freshEmail()
  const { user } = ok(await admin.createUser({ email, password: PASSWORD, email_confirm: true, ...attributes }))
  return { email, user }
}

describe('admin.createUser', () => {
  it('makes a user who can sign in, with what both sides know of them', async () => {
    const { email, user } = await create({
      user_metadata: { full_name: 'Ada' },
      app_metadata: { department: 'engines' },
    })
    assert.ok(user.email_confirmed_at)
    const auth = await signedIn({ email })
    const stored = await storedUser(auth)
    assert.equal(stored.id, user.id)
    assert.equal(stored.user_metadata.full_name, 'Ada')
    assert.equal(stored.app_metadata.department, 'engines')
    assert.equal(stored.app_metadata.provider, 'email')
    const { session } = ok(await auth.getSession())
    assert.equal(claims(session.access_token).app_metadata.department, 'engines')
  })

  it('takes the id it is given, for users who move here', async () => {
    const id = randomUUID()
    const { email, user } = await create({ id })
    assert.equal(user.id, id)
    assert.equal((await storedUser(await signedIn({ email }))).id, id)
  })

  it('takes the password hashes of others', async () => {
    const hashes = JSON.parse(process.env.CAS_HASHES)
    for (const [scheme, password_hash] of Object.entries(hashes)) {
      const { email } = await create({ password: undefined, password_hash })
      await signedIn({ email })
      refused(await newAuth().signInWithPassword({ email, password: `not ${scheme}` }), {
        code: 'invalid_credentials',
      })
    }
  })

  it('leaves an address unconfirmed unless told otherwise', async () => {
    const { email, user } = await create({ email_confirm: false })
    assert.equal(user.email_confirmed_at, undefined)
    refused(await newAuth().signInWithPassword({ email, password: PASSWORD }), { code: 'email_not_confirmed' })
  })

  it('refuses an address that is taken, and a weak password', async () => {
    const { email } = await create()
    refused(await admin.createUser({ email, password: PASSWORD }), { status: 422, code: 'email_exists' })
    refused(await admin.createUser({ email: freshEmail(), password: 'short' }), { name: 'AuthWeakPasswordError' })
    refused(await admin.createUser({}), { status: 400, code: 'validation_failed' })
  })
})

describe('admin.listUsers', () => {
  it('gives pages, and says how many there are', async () => {
    const ids = [(await create()).user.id, (await create()).user.id, (await create()).user.id]
    const first = ok(await admin.listUsers({ page: 1, perPage: 2 }))
    assert.equal(first.users.length, 2)
    assert.equal(first.aud, 'authenticated')
    assert.equal(first.nextPage, 2)
    assert.ok(first.lastPage >= 1) // the client reads the first digit only
    assert.ok(first.total >= 3)
    const second = ok(await admin.listUsers({ page: 2, perPage: 2 }))
    const seen = new Set([...first.users, ...second.users].map((user) => user.id))
    assert.ok(seen.size >= 3)

    const all = ok(await admin.listUsers({ page: 1, perPage: 1000 })).users
    for (const id of ids) assert.ok(all.some((user) => user.id === id))
    assert.equal(ok(await admin.listUsers({ page: 1_000_000, perPage: 1000 })).users.length, 0)
  })
})

describe('admin.getUserById', () => {
  it('gives a user as they see themselves', async () => {
    const { auth, user } = await signedUp({ data: { full_name: 'Ada' } })
    assert.deepEqual(await known(user.id), await storedUser(auth))
  })

  it('knows nobody of an unknown id', async () => {
    refused(await admin.getUserById(randomUUID()), { status: 404, code: 'user_not_found' })
  })
})

describe('admin.updateUserById', () => {
  it('changes address, password and metadata', async () => {
    const { user } = await create({ user_metadata: { full_name: 'Ada', colour: 'blue' } })
    const email = freshEmail('new')
    const { user: changed } = ok(
      await admin.updateUserById(user.id, {
        email,
        password: 'set by the administrator',
        user_metadata: { colour: null, city: 'London' },
        app_metadata: { department: 'engines' },
        email_confirm: true,
      }),
    )
    assert.equal(changed.email, email)
    const stored = await storedUser(await signedIn({ email, password: 'set by the administrator' }))
    assert.equal(stored.id, user.id)
    assert.equal(stored.user_metadata.full_name, 'Ada')
    assert.equal(stored.user_metadata.city, 'London')
    assert.ok(!('colour' in stored.user_metadata))
    assert.equal(stored.app_metadata.department, 'engines')
    assert.deepEqual(await known(user.id), { ...(await known(user.id)), email })
  })

  it('confirms an address', async () => {
    const { email, user } = await create({ email_confirm: false })
    ok(await admin.updateUserById(user.id, { email_confirm: true }))
    await signedIn({ email })
  })

  it('bans, and lifts a ban', async () => {
    const { email, user } = await create()
    const auth = await signedIn({ email })
    const { user: banned } = ok(await admin.updateUserById(user.id, { ban_duration: '24h' }))
    assert.ok(Date.parse(banned.banned_until) > Date.now() + 23 * 3600_000)
    const { error } = await auth.getUser()
    assert.ok(['user_banned', 'session_not_found', undefined].includes(error.code), error.code)
    refused(await newAuth().signInWithPassword({ email, password: PASSWORD }), { status: 400, code: 'user_banned' })

    const { user: free } = ok(await admin.updateUserById(user.id, { ban_duration: 'none' }))
    assert.equal(free.banned_until, undefined)
    await signedIn({ email })
  })

  it('refuses an address that is taken, and an unknown user', async () => {
    const [one, other] = [await create(), await create()]
    refused(await admin.updateUserById(one.user.id, { email: other.email }), { status: 422, code: 'email_exists' })
    refused(await admin.updateUserById(randomUUID(), { user_metadata: {} }), { status: 404, code: 'user_not_found' })
  })
})

describe('admin.deleteUser', () => {
  it('deletes for good, and ends every session', async () => {
    const { email, user } = await create()
    const auth = await signedIn({ email })
    assert.equal(ok(await admin.deleteUser(user.id)).user.id, user.id)
    refused(await admin.getUserById(user.id), { status: 404, code: 'user_not_found' })
    refused(await newAuth().signInWithPassword({ email, password: PASSWORD }), { code: 'invalid_credentials' })
    assert.ok((await auth.getUser()).error)
    await create({ email })
  })

  it('softly forgets who it was, and frees the address', async () => {
    const { email, user } = await create({ user_metadata: { full_name: 'Ada' } })
    const auth = await signedIn({ email })
    ok(await admin.deleteUser(user.id, true))
    refused(await newAuth().signInWithPassword({ email, password: PASSWORD }), { code: 'invalid_credentials' })
    assert.ok((await auth.getUser()).error)
    await create({ email })
  })

  it('knows nobody of an unknown id', async () => {
    refused(await admin.deleteUser(randomUUID()), { status: 404, code: 'user_not_found' })
  })
})

describe('admin.generateLink', () => {
  const options = { redirectTo: `${SITE}/welcome` }

  async function generate(params) {
    const { properties, user } = ok(await admin.generateLink({ options, ...params }))
    assert.equal(properties.redirect_to, options.redirectTo)
    assert.match(properties.email_otp, /^\d{6}$/)
    const link = new URL(properties.action_link)
    assert.ok(link.pathname.endsWith('/auth/v1/verify'))
    assert.equal(link.searchParams.get('token'), properties.hashed_token)
    assert.equal(properties.verification_type, params.type)
    assert.equal(link.searchParams.get('type'), params.type.replace(/_(current|new)$/, ''))
    return { properties, user }
  }

  it('signup makes an unconfirmed user, whom the link confirms', async () => {
    const email = freshEmail()
    const { properties, user } = await generate({ type: 'signup', email, password: PASSWORD })
    refused(await newAuth().signInWithPassword({ email, password: PASSWORD }), { code: 'email_not_confirmed' })
    const answer = ok(await newAuth().verifyOtp({ token_hash: properties.hashed_token, type: 'signup' }))
    assert.equal(answer.user.id, user.id)
    await signedIn({ email })
  })

  it('invite makes a user who chooses a password later', async () => {
    const email = freshEmail()
    const { properties, user } = await generate({ type: 'invite', email, options: { ...options, data: { team: 'blue' } } })
    const auth = newAuth()
    const answer = ok(await auth.verifyOtp({ email, token: properties.email_otp, type: 'invite' }))
    assert.equal(answer.user.id, user.id)
    assert.equal(answer.user.user_metadata.team, 'blue')
    ok(await auth.updateUser({ password: PASSWORD }))
    await signedIn({ email })
  })

  it('magiclink and recovery sign in a user', async () => {
    for (const type of ['magiclink', 'recovery']) {
      const { email, user } = await create()
      const { properties } = await generate({ type, email })
      const answer = ok(await newAuth().verifyOtp({ email, token: properties.email_otp, type }))
      assert.equal(answer.user.id, user.id)
    }
  })

  it('email_change links change the address together', async () => {
    const { email, user } = await create()
    const newEmail = freshEmail('new')
    const links = {}
    for (const type of ['email_change_current', 'email_change_new']) {
      links[type] = (await generate({ type, email, newEmail })).properties
    }
    ok(await newAuth().verifyOtp({ token_hash: links.email_change_current.hashed_token, type: 'email_change' }))
    ok(await newAuth().verifyOtp({ token_hash: links.email_change_new.hashed_token, type: 'email_change' }))
    assert.equal((await known(user.id)).email, newEmail)
  })

  it('refuses who is unknown, who exists, and what it does not know', async () => {
    const { email } = await create()
    refused(await admin.generateLink({ type: 'recovery', email: freshEmail() }), { status: 404, code: 'user_not_found' })
    refused(await admin.generateLink({ type: 'signup', email, password: PASSWORD }), {
      status: 422,
      code: 'email_exists',
    })
    refused(await admin.generateLink({ type: 'telepathy', email }), { status: 400, code: 'validation_failed' })
  })
})

describe('admin.inviteUserByEmail', () => {
  it('mails an invitation which signs the invited in', async () => {
    const email = freshEmail()
    let invited
    const mail = await newMail(email, async () => {
      const answer = ok(
        await admin.inviteUserByEmail(email, { data: { team: 'blue' }, redirectTo: `${SITE}/welcome` }),
      )
      invited = answer.user
    })
    assert.ok(invited.invited_at)
    assert.equal(invited.user_metadata.team, 'blue')
    const { at, fragment } = await mail.follow()
    assert.equal(at, `${SITE}/welcome`)
    assert.equal(fragment.type, 'invite')
    const auth = newAuth()
    assert.equal(ok(await auth.setSession(fragment)).user.id, invited.id)
    ok(await auth.updateUser({ password: PASSWORD }))
    await signedIn({ email })
    refused(await admin.inviteUserByEmail(email), { status: 422, code: 'email_exists' })
  })
})

describe('admin.mfa', () => {
  it('lists the factors of a user and removes one', async () => {
    const { auth, user } = await signedUp()
    const { id } = ok(await auth.mfa.enroll({ factorType: 'totp', friendlyName: 'Lost phone' }))
    const { factors } = ok(await admin.mfa.listFactors({ userId: user.id }))
    assert.deepEqual(
      factors.map((factor) => [factor.id, factor.friendly_name, factor.status]),
      [[id, 'Lost phone', 'unverified']],
    )
    ok(await admin.mfa.deleteFactor({ userId: user.id, id }))
    assert.deepEqual(ok(await admin.mfa.listFactors({ userId: user.id })).factors, [])
    refused(await admin.mfa.deleteFactor({ userId: user.id, id }), { status: 404, code: 'mfa_factor_not_found' })
  })
})

describe('admin.signOut', () => {
  it("ends sessions with the user's token", async () => {
    const { auth, session } = await signedUp()
    ok(await admin.signOut(session.access_token, 'global'))
    refused(await auth.getUser(), { name: 'AuthSessionMissingError' })
  })
})

describe('who is no administrator', () => {
  const calls = {
    listUsers: (api) => api.listUsers(),
    createUser: (api) => api.createUser({ email: freshEmail() }),
    getUserById: (api) => api.getUserById(randomUUID()),
    updateUserById: (api) => api.updateUserById(randomUUID(), { role: 'service_role' }),
    deleteUser: (api) => api.deleteUser(randomUUID()),
    generateLink: (api) => api.generateLink({ type: 'magiclink', email: freshEmail() }),
    inviteUserByEmail: (api) => api.inviteUserByEmail(freshEmail()),
  }

  for (const [name, call] of Object.entries(calls)) {
    it(`may not call ${name}, with a key or as a user`, async () => {
      const { session } = await signedUp()
      const asUser = await call(newAdmin(session.access_token))
      refused(asUser, { name: 'AuthApiError', status: 403, code: 'not_admin' })
      const { error } = await call(newAuth().admin)
      assert.ok([401, 403].includes(error.status))
      assert.ok(['bad_jwt', 'no_authorization'].includes(error.code), error.code)
    })
  }
})
