// @ts-check
// Sign-in at the hosted page of a user pool: authorization code with PKCE (RFC 7636), no library.
// The identity token stays in this tab. Where there is no login, nobody loads this module.

import { key } from "./api.js";

const content = (name) => document.querySelector(`meta[name=${name}]`)?.getAttribute("content") ?? "";

const PLACE = content("sign-in");
const CLIENT = content("sign-in-client");
const ATTEMPT_NAME = `circle-sign-in ${location.pathname}`;
const TIMEOUT_MS = 35000;

/** The page's own address, to which the hosted page sends people back. */
const page = () => location.origin + location.pathname;

/** @param {Uint8Array} bytes */
const base64url = (bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** What the token claims, which the API checks. */
function claims() {
  try {
    const body = (key.get() ?? "").split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) ?? {};
  } catch {
    return {}; // not a token: somebody changed what the tab keeps
  }
}

/** The mail address of whoever signed in. */
export const person = () => String(claims().email ?? "");

/** Whether whoever signed in is in a group; only the API's own check decides anything. */
export const isIn = (group) => [claims()["cognito:groups"]].flat().includes(group);

/** Leave for the hosted page, which sends people back to where they are now. */
export async function begin() {
  const attempt = { verifier: random(), state: random(), hash: location.hash };
  sessionStorage.setItem(ATTEMPT_NAME, JSON.stringify(attempt));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(attempt.verifier));
  const asked = new URLSearchParams({
    client_id: CLIENT,
    redirect_uri: page(),
    response_type: "code",
    scope: "openid email",
    state: attempt.state,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
  });
  location.assign(`${PLACE}/oauth2/authorize?${asked}`);
}

/**
 * Finish a sign-in that the hosted page sent back, and take the code out of the address. It throws a
 * sentence when it can't be finished; an address without a code is none.
 */
export async function finish() {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("code") && !answer.has("error")) return;
  const attempt = JSON.parse(sessionStorage.getItem(ATTEMPT_NAME) ?? "{}");
  sessionStorage.removeItem(ATTEMPT_NAME);
  history.replaceState(null, "", page() + (attempt.hash ?? ""));
  if (answer.has("error")) throw new Error("The sign-in page refused. Ask the operator for access.");
  // A code that this tab did not ask for may be somebody else's.
  if (!attempt.state || answer.get("state") !== attempt.state) {
    throw new Error("This sign-in was begun elsewhere. Sign in again from here.");
  }
  key.set(await exchange(answer.get("code") ?? "", attempt.verifier));
}

/** The identity token for an authorization code. */
async function exchange(code, verifier) {
  const fields = {
    grant_type: "authorization_code",
    client_id: CLIENT,
    redirect_uri: page(),
    code,
    code_verifier: verifier,
  };
  const found = await fetch(`${PLACE}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams(fields),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => null);
  if (!found) throw new Error("The sign-in page did not answer. Check your network connection and sign in again.");
  const { id_token: identity } = await found.json().catch(() => ({}));
  if (!found.ok || !identity) throw new Error("The sign-in has run out. Sign in again.");
  return identity;
}

/** Forget the token here, end the session at the hosted page, and come back. */
export function signOut() {
  key.forget();
  location.assign(`${PLACE}/logout?${new URLSearchParams({ client_id: CLIENT, logout_uri: page() })}`);
}
