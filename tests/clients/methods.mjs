// Every public method of the client is called by some file here, or named below with the reason.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { it } from 'node:test'

import { newAuth } from './support.mjs'

const NOT_CALLED = {
  signInWithEthereum: 'private: what signInWithWeb3 calls',
  signInWithSolana: 'private: what signInWithWeb3 calls',
  linkIdentityOAuth: 'private: what linkIdentity calls',
  linkIdentityIdToken: 'private: what linkIdentity calls',
  fetchJwk: 'private: what getClaims calls',
  signInWithPasskey: 'asks the browser for a credential after passkey.startAuthentication, which is refused',
  registerPasskey: 'asks the browser for a credential after passkey.startRegistration, which is refused',
  'passkey.verifyRegistration': 'takes a credential of a browser; passkey.startRegistration is refused before',
  'passkey.verifyAuthentication': 'takes a credential of a browser; passkey.startAuthentication is refused before',
}
const GROUPS = ['mfa', 'mfa.recoveryCodes', 'oauth', 'passkey', 'admin', 'admin.mfa', 'admin.oauth', 'admin.customProviders', 'admin.passkey']

/** The names of the functions which an object has, or its classes define. */
function functionsOf(object) {
  const names = new Set()
  for (let level = object; level !== Object.prototype; level = Object.getPrototypeOf(level)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
      if (typeof value === 'function' && !name.startsWith('_') && name !== 'constructor') names.add(name)
    }
  }
  return [...names]
}

function publicMethods() {
  const auth = newAuth()
  const settings = ['logger', 'fetch'] // functions that were handed in
  const groups = [['', auth], ...GROUPS.map((path) => [`${path}.`, path.split('.').reduce((at, name) => at[name], auth)])]
  return groups.flatMap(([prefix, group]) =>
    functionsOf(group)
      .filter((name) => !settings.includes(name))
      .map((name) => prefix + name),
  )
}

/** Whether a file calls it: `auth.mfa.enroll(`, `newAdmin().mfa.listFactors(`. */
function isCalled(method, code) {
  const [name, ...groups] = method.split('.').reverse()
  const path = [...groups.filter((group) => group !== 'admin').reverse(), name].join('\\.')
  return new RegExp(`\\b${path}\\(`).test(code)
}

it('every public method is called', () => {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.mjs') && name !== 'methods.mjs')
  const code = files.map((name) => readFileSync(`${import.meta.dirname}/${name}`, 'utf8')).join('\n')
  const methods = publicMethods()
  assert.ok(methods.length > 60, methods.join())
  const forgotten = methods.filter((method) => !(method in NOT_CALLED) && !isCalled(method, code))
  assert.deepEqual(forgotten, [])
  for (const method of Object.keys(NOT_CALLED)) assert.ok(methods.includes(method), `${method} is gone`)
})
