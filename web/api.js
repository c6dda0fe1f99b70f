// Calls to the API with the key of this tab, bounded in time; whatever fails becomes a Failure.

const NAME = `circle-key ${location.pathname}`;
const PATIENCE = 35000; // the gateway itself gives up after 29 seconds

export const key = {
  get: () => sessionStorage.getItem(NAME),
  set: (value) => sessionStorage.setItem(NAME, value),
  forget: () => sessionStorage.removeItem(NAME),
};

export class Failure extends Error {
  // title: what happened; detail: what to do; errors: the fields of a validation problem.
  constructor(status, title, detail, errors = []) {
    super(title);
    Object.assign(this, { status, title, detail, errors });
  }
}

export function url(path) {
  return new URL(path.replace(/^\//, ""), location.href.split("#")[0]).href;
}

export async function call(path, { method = "GET", body, signal, headers = {} } = {}) {
  const signals = [AbortSignal.timeout(PATIENCE), ...(signal ? [signal] : [])];
  let answer;
  let content;
  try {
    answer = await fetch(url(path), {
      method,
      cache: "no-store",
      headers: {
        "x-api-key": key.get() ?? "",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.any(signals),
    });
    content = await answer.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    if (error.name === "TimeoutError") {
      throw new Failure(
        0,
        "The API did not answer in time",
        "It may be starting up, or the query is a large one. Try again.",
      );
    }
    throw new Failure(
      0,
      "The API can't be reached",
      "Check the network connection, and that the service is up; then try again.",
    );
  }
  let document = null;
  try {
    document = JSON.parse(content);
  } catch {
    // An answer of something in between, told below by its status.
  }
  if (answer.ok && document !== null) return document;
  throw new Failure(
    answer.status,
    document?.title ?? "The API answered with an error",
    document?.detail ?? document?.message ?? `Status ${answer.status}. Try again in a minute.`,
    document?.errors ?? [],
  );
}
