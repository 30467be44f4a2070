// What every file needs: clients as an application makes them, people, and short ways to state what is expected.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'

import { AuthClient } from '@supabase/auth-js'
import { createClient } from '@supabase/supabase-js'

export const url = process.env.CAS_URL
// Any text that is no token: supabase-js sends it as `apikey` and, on public calls, as the bearer.
export const PUBLISHABLE_KEY = 'sb_publishable_nothing_secret'
// Where links lead unless they are told otherwise; nobody listens there.
export const SITE = 'http://localhost:3000'
export const PASSWORD = 'correct horse battery staple'

export const freshEmail = (name = 'ada') => `${name}-${randomUUID()}@example.com`

/** A storage like a browser tab's, with `items` to look into. */
export function memoryStorage(items = {}) {
  return {
    items,
    getItem: (key) => items[key] ?? null,
    setItem: (key, value) => void (items[key] = value),
    removeItem: (key) => void delete items[key],
  }
}

/** The `auth` of a supabase-js client of its own, with `auth.requests`: what it asked of the server. */
export function newAuth(options = {}) {
  const { auth, requests } = supabase(PUBLISHABLE_KEY, { storage: memoryStorage(), ...options })
  return Object.assign(auth, { requests })
}

/** The administration of users, as a trusted server uses it; with another token, what somebody tries who is none. */
export function newAdmin(token = process.env.CAS_SERVICE_TOKEN) {
  return supabase(token, { persistSession: false }).auth.admin
}

function supabase(key, options) {
  const requests = []
  const recordingFetch = (target, init) => {
    const { pathname, search } = new URL(target)
    requests.push(`${init.method} ${pathname}${search}`)
    return fetch(target, init)
  }
  const { auth } = createClient(url, key, {
    auth: { autoRefreshToken: false, detectSessionInUrl: false, ...options },
    global: { fetch: recordingFetch },
  })
  return { auth, requests }
}

export const TAB_KEY = 'a-session'

/** A client of @supabase/auth-js alone, which finds this session in its storage when it starts. */
export function tabWith(session, options = {}) {
  return new AuthClient({
    url: `${url}/auth/v1`,
    headers: { apikey: PUBLISHABLE_KEY },
    storageKey: TAB_KEY,
    storage: memoryStorage({ [TAB_KEY]: JSON.stringify(session) }),
    autoRefreshToken: false,
    ...options,
  })
}

/** The session as a client finds it which slept for a while. */
export const expired = (session) => ({ ...session, expires_at: Math.floor(Date.now() / 1000) - 1 })

/** Give the data of an answer that must not be an error. */
export function ok({ data, error }) {
  assert.equal(error, null)
  return data
}

/** Demand that an answer is this error, member by member; give the error. */
export function refused({ error }, expected) {
  assert.ok(error, `not refused; expected ${JSON.stringify(expected)}`)
  const actual = Object.fromEntries(Object.keys(expected).map((name) => [name, error[name]]))
  assert.deepEqual({ ...actual, said: error.message }, { ...expected, said: error.message })
  return error
}

/** Sign up somebody whose address is trusted: `{ auth, email, password, user, session }`. */
export async function signedUp({ data = {}, password = PASSWORD, ...options } = {}) {
  const auth = newAuth(options)
  const email = freshEmail()
  const { user, session } = ok(await auth.signUp({ email, password, options: { data } }))
  assert.ok(session, 'signing up gave no session')
  return { auth, email, password, user, session }
}

/** Sign in on another device: a new client. */
export async function signedIn({ email, password = PASSWORD, ...options }) {
  const auth = newAuth(options)
  ok(await auth.signInWithPassword({ email, password }))
  return auth
}

/** What onAuthStateChange tells: `{ events, next(event), subscription }`. */
export function listen(auth) {
  const events = []
  const waiting = []
  const { data } = auth.onAuthStateChange((event, session) => {
    events.push(event)
    waiting.filter((one) => one.event === event).forEach((one) => one.resolve(session))
  })
  const next = (event) => new Promise((resolve) => waiting.push({ event, resolve }))
  return { events, next, ...data }
}

/** What the server knows of the caller now. */
export const storedUser = async (auth) => ok(await auth.getUser()).user

/** The claims of a token, unverified. */
export const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))

export const sessionId = (session) => claims(session.access_token).session_id
