// @ts-check
// Calls to the API with the key of this tab, or as whoever signed in. A call that fails throws a Failure.

const KEY_NAME = `circle-key ${location.pathname}`;
const TIMEOUT_MS = 35000; // the gateway itself gives up after 29 seconds

/** Whether people sign in here (`sign-in.js`); otherwise they have the API key. */
export const hasLogin = document.querySelector("meta[name=sign-in]")?.getAttribute("content") !== "";

/** The API key, or the token of whoever signed in. */
export const key = {
  get: () => sessionStorage.getItem(KEY_NAME),
  /** @param {string} value */
  set: (value) => sessionStorage.setItem(KEY_NAME, value),
  forget: () => sessionStorage.removeItem(KEY_NAME),
};

/** The status of an answer that says that the key, or the sign-in, is not accepted. */
export const REFUSED = hasLogin ? 401 : 403;

/** What went wrong, in words for the person at the screen. */
export class Failure extends Error {
  /**
   * @param {number} status the HTTP status; 0 when no answer came
   * @param {string} title what happened
   * @param {string} detail what to do
   * @param {{pointer: string, detail: string}[]} errors the fields of a validation problem
   * @param {(() => void) | undefined} retry what "Try again" does; without it, the page decides
   */
  constructor(status, title, detail, errors = [], retry = undefined) {
    super(title);
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
    this.retry = retry;
  }
}

/** @param {string} path relative to where the dashboard is served from */
export function url(path) {
  return new URL(path.replace(/^\//, ""), location.href.split("#")[0]).href;
}

/**
 * Call the API and return the decoded answer.
 * @param {string} path
 * @param {{method?: string, body?: any, signal?: AbortSignal, headers?: Record<string, string>}} options
 * @returns {Promise<any>}
 */
export async function call(path, { method = "GET", body, signal, headers = {} } = {}) {
  const signals = [AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])];
  let answer;
  let content;
  try {
    answer = await fetch(url(path), {
      method,
      cache: "no-store",
      headers: {
        [hasLogin ? "Authorization" : "x-api-key"]: key.get() ?? "",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.any(signals),
    });
    content = await answer.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    if (error instanceof DOMException && error.name === "TimeoutError") {
      const advice = "It may be starting up, or the query may be a large one. Try again.";
      throw new Failure(0, "The API did not answer in time", advice);
    }
    const advice = "Check your network connection and that the service is running, then try again.";
    throw new Failure(0, "The API can't be reached", advice);
  }
  let document = null;
  try {
    document = JSON.parse(content);
  } catch {
    // Not from the API but from something in between: the status has to do.
  }
  if (answer.ok && document !== null) return document;
  throw new Failure(
    answer.status,
    document?.title ?? "The API answered with an error",
    document?.detail ?? document?.message ?? `Status ${answer.status}. Try again in a minute.`,
    document?.errors ?? [],
  );
}
