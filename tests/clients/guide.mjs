// What the code of docs/use-supabase-js.md finds around it.

import assert from 'node:assert/strict'
import { it as test } from 'node:test'

import { newCodes } from './mails.mjs'
import { totp } from './totp.mjs'

export const serviceToken = process.env.CAS_SERVICE_TOKEN

/** Demand what a comment says that a line prints. */
export const shows = (expected, ...values) => assert.equal(values.map(String).join(' '), expected)

let failed = false

/** A block; once one has failed, those behind it would only hide why. */
export function it(name, block) {
  test(name, async () => {
    assert.ok(!failed, 'a block before this one failed')
    failed = true
    await block()
    failed = false
  })
}

/** What somebody reads in the mail that has just come, and types. */
export const typedByThePerson = await newCodes()

/** What somebody reads in their authenticator app. */
export const shownByTheApp = (secret) => totp(secret)
