// The metrics API, as this page asks it. All addresses are relative to the page's own.

const BASE = new URL("api/", document.baseURI);

/** Whoever looks has not signed in, or no longer. */
export class SignedOut extends Error {}

/** What the API says is wrong (RFC 9457). */
export class Problem extends Error {
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

export type Query = Record<string, string | number | undefined>;

export function address(path: string, query: Query = {}): URL {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, `${value}`);
  return url;
}

async function ask(path: string, query: Query, init: RequestInit): Promise<Response> {
  const response = await fetch(address(path, query), { credentials: "same-origin", ...init });
  if (response.ok) return response;
  const detail = await response.json().then((problem) => String(problem.detail), () => response.statusText);
  throw response.status === 401 ? new SignedOut(detail) : new Problem(response.status, detail);
}

export async function get<T>(path: string, query: Query = {}, init: RequestInit = {}): Promise<T> {
  return (await ask(path, query, init)).json();
}

/** Asked before anything else, because an answer that refuses is an error in the browser's console. */
export async function isSignedIn(): Promise<boolean> {
  return (await get<{ signed_in: boolean }>("session")).signed_in;
}

export async function signIn(token: string): Promise<void> {
  await ask("session", {}, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
}

export async function signOut(): Promise<void> {
  await ask("session", {}, { method: "DELETE" });
}

/** Show numbers since now. The header is one that no other site can make a browser send. */
export async function reset(): Promise<void> {
  await ask("reset", {}, { method: "POST", headers: { "x-stethoscope": "1" } });
}
