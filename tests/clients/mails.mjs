// What arrives in mailboxes, and what people do with it.

import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'

const MAILBOXES = process.env.CAS_MAIL_URL
const PATIENCE = 15_000 // milliseconds; a mail takes one or two

/** Every mail, or every one to an address, oldest first. */
export async function mailsTo(address) {
  const answer = await fetch(`${MAILBOXES}/api/messages${address ? `?to=${encodeURIComponent(address)}` : ''}`)
  assert.equal(answer.status, 200)
  return (await answer.json()).map(read).reverse()
}

/** Do something, and give the mail to an address that comes of it. */
export async function newMail(address, action) {
  const before = (await mailsTo(address)).length
  await action()
  return until(async () => (await mailsTo(address))[before], `no mail came to ${address}`)
}

/** From now on, give the code of the next mail that has one, each time it is called. */
export async function newCodes() {
  const seen = new Set((await mailsTo()).map((mail) => mail.id))
  return () =>
    until(async () => {
      const next = (await mailsTo()).find((mail) => mail.code && !seen.has(mail.id))
      seen.add(next?.id)
      return next?.code
    }, 'no mail with a code came')
}

async function until(look, complaint) {
  for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; await pause(50)) {
    const found = await look()
    if (found) return found
  }
  return assert.fail(complaint)
}

/** A mail as a person sees it: its code and its link, null where it has none. */
function read({ id, subject, text, html }) {
  const link = text.match(/^https?:\S+$/m)?.[0] ?? null
  const tokenHash = link && new URL(link).searchParams.get('token')
  return { id, subject, text, html, link, tokenHash, code: text.match(/^ *(\d{6})$/m)?.[1] ?? null, follow: () => follow(link) }
}

/**
 * Open a link of a mail, and press the button of the page it shows.
 * @returns where it leads: `at` without the fragment, the `fragment` and `code` that clients look for
 */
async function follow(link) {
  let answer = await fetch(link, { redirect: 'manual' })
  if (answer.status === 200) {
    const [, action] = (await answer.text()).match(/<form method="post" action="([^"]*)"/)
    answer = await fetch(new URL(action.replaceAll('&amp;', '&'), link), { method: 'POST', redirect: 'manual' })
  }
  assert.equal(answer.status, 303)
  const target = new URL(answer.headers.get('location'))
  const fragment = Object.fromEntries(new URLSearchParams(target.hash.slice(1)))
  target.hash = ''
  return { at: target.href, fragment, code: target.searchParams.get('code') }
}
