// What is not offered says so, in the words the client knows.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'

import { newAdmin, newAuth, refused, signedUp } from './support.mjs'

const PHONE = '+441632960961'

describe('sign-in by others', () => {
  it('has no SAML', async () => {
    const error = refused(await newAuth().signInWithSSO({ domain: 'example.com' }), {
      name: 'AuthApiError',
      status: 404,
      code: 'saml_provider_disabled',
    })
    assert.equal(error.message, 'SAML 2.0 is disabled')
  })

  it('has no web3 wallets', async () => {
    const credentials = { chain: 'ethereum', message: 'example.com wants you to sign in', signature: '0x00' }
    const error = refused(await newAuth().signInWithWeb3(credentials), {
      name: 'AuthApiError',
      status: 422,
      code: 'web3_provider_disabled',
    })
    assert.equal(error.message, 'Web3 provider is disabled')
  })
})

describe('phone numbers', () => {
  it('are refused everywhere', async () => {
    const { auth } = await signedUp()
    const answers = [
      await newAuth().signInWithOtp({ phone: PHONE }),
      await newAuth().resend({ type: 'sms', phone: PHONE }),
      await auth.updateUser({ phone: PHONE }),
    ]
    for (const answer of answers) refused(answer, { name: 'AuthApiError', code: 'phone_provider_disabled' })
  })
})

describe('passkeys', () => {
  const DISABLED = { name: 'AuthApiError', status: 404, code: 'passkey_disabled' }

  it('are refused to who is signed in and who is not', async () => {
    const { auth } = await signedUp()
    refused(await newAuth().passkey.startAuthentication(), DISABLED)
    refused(await auth.passkey.startRegistration(), DISABLED)
    refused(await auth.passkey.list(), DISABLED)
    const passkeyId = '6f2f2d5e-8e0a-4c6f-9a35-1d8a7c1f5b3e'
    refused(await auth.passkey.update({ passkeyId, friendlyName: 'Key' }), DISABLED)
    refused(await auth.passkey.delete({ passkeyId }), DISABLED)
  })
})

describe('recovery codes', () => {
  it('are not there yet', async () => {
    const { auth } = await signedUp({ experimental: { recoveryCodes: true } })
    const ABSENT = { name: 'AuthApiError', status: 422, code: 'mfa_recovery_codes_enroll_not_enabled' }
    refused(await auth.mfa.recoveryCodes.getStatus(), ABSENT)
    refused(await auth.mfa.recoveryCodes.generate(), ABSENT)
    refused(await auth.mfa.recoveryCodes.regenerate(), ABSENT)
    refused(await auth.mfa.recoveryCodes.unenroll(), ABSENT)
    const { error } = await auth.mfa.recoveryCodes.verify({ code: 'abcd-efgh' })
    assert.equal(error.code, 'mfa_recovery_codes_verify_not_enabled')
  })
})

describe('passkeys of others', () => {
  it('are refused to administrators', async () => {
    const DISABLED = { status: 404, code: 'passkey_disabled' }
    refused(await newAdmin().passkey.listPasskeys({ userId: randomUUID() }), DISABLED)
    refused(await newAdmin().passkey.deletePasskey({ userId: randomUUID(), passkeyId: randomUUID() }), DISABLED)
  })
})

describe('the OAuth server', () => {
  const DISABLED = { name: 'AuthApiError', status: 404, code: 'feature_disabled' }
  const id = randomUUID()

  it('is not there yet', async () => {
    const { oauth } = (await signedUp()).auth
    refused(await oauth.listGrants(), DISABLED)
    refused(await oauth.revokeGrant({ clientId: id }), DISABLED)
    refused(await oauth.getAuthorizationDetails(id), DISABLED)
    refused(await oauth.approveAuthorization(id), DISABLED)
    refused(await oauth.denyAuthorization(id), DISABLED)
  })

  it('has no clients to administer', async () => {
    const { oauth } = newAdmin()
    refused(await oauth.listClients(), DISABLED)
    refused(await oauth.createClient({ client_name: 'App', redirect_uris: ['https://app.example.com'] }), DISABLED)
    refused(await oauth.getClient(id), DISABLED)
    refused(await oauth.updateClient(id, { client_name: 'App' }), DISABLED)
    refused(await oauth.deleteClient(id), DISABLED)
    refused(await oauth.regenerateClientSecret(id), DISABLED)
  })
})

describe('providers of the database', () => {
  const DISABLED = { name: 'AuthApiError', status: 404, code: 'feature_disabled' }

  it('are not there: providers are settings', async () => {
    const { customProviders } = newAdmin()
    refused(await customProviders.listProviders(), DISABLED)
    refused(await customProviders.createProvider({ identifier: 'custom:acme' }), DISABLED)
    refused(await customProviders.getProvider('custom:acme'), DISABLED)
    refused(await customProviders.updateProvider('custom:acme', { enabled: false }), DISABLED)
    refused(await customProviders.deleteProvider('custom:acme'), DISABLED)
  })
})
