// The one place that talks to the API. It keeps the access token in memory and renews it when it has run out.

/** An answer other than success. `details` lists every fault as `{ field, code, message }`. */
export class ApiError extends Error {
  constructor(status, { code, message, details = [] }, retryAfter = null) {
    super(message);
    Object.assign(this, { status, code, details, retryAfter });
  }
}

const UNREACHABLE = {
  code: 'unreachable',
  message: 'The service cannot be reached. Check your connection and try again.',
};
const UNREADABLE = { code: 'unreadable', message: 'The service gave an answer that makes no sense.' };

export class Api {
  #base;
  #onSignedOut;
  /** In memory only: what is kept in storage can be stolen from there. */
  #token = null;
  #renewal = null;

  /**
   * @param base Origin of the API; empty if it is the page's own.
   * @param onSignedOut Called when the session turns out to be over.
   */
  constructor(base, onSignedOut) {
    this.#base = base;
    this.#onSignedOut = onSignedOut;
  }

  /** Whether the browser still has a session: its HttpOnly cookie then buys a new access token. */
  async resume() {
    try {
      await this.#renew();
      return true;
    } catch (error) {
      if (error.status === 401) return false;
      throw error;
    }
  }

  /** Asks for a mail with link and code; answers the id of the request, which the code belongs to. */
  async askForLink(email, redirect) {
    const { data } = await this.#send('POST', '/auth/magic-link', { body: { email, redirect } });
    return data.request_id;
  }

  /** Signs in by the code of the mail. */
  async signIn(requestId, code) {
    const { data } = await this.#send('POST', '/auth/magic-link/verify', {
      body: { request_id: requestId, code },
    });
    this.#token = data.access_token;
  }

  /** Leaves this page for Google, which leads back to `redirect`. Throws if the service does not offer it. */
  async signInWithGoogle(redirect) {
    const path = `/auth/sso/google?${new URLSearchParams({ redirect })}`;
    // Asked first without following, so that a refusal arrives here and not as a page full of JSON.
    const response = await this.#fetch('GET', path, { redirect: 'manual' });
    if (response.type !== 'opaqueredirect') await read(response);
    location.assign(this.#base + path);
  }

  /** @param scope `this`, `others` or `all`: which of the user's sessions end. */
  async signOut(scope = 'this') {
    await this.#send('POST', '/auth/logout', { body: { scope } });
    if (scope !== 'others') this.#token = null;
  }

  /**
   * A call as the signed-in user. Answers `{ data, etag }`.
   * An expired token is renewed and the call made again; parallel calls share the renewal.
   */
  async call(method, path, options) {
    const token = this.#token;
    try {
      return await this.#send(method, path, options);
    } catch (error) {
      if (error.status !== 401) throw error;
    }
    try {
      // Unless another call has renewed it meanwhile.
      if (this.#token === token) await this.#renew();
      return await this.#send(method, path, options);
    } catch (error) {
      if (error.status === 401) {
        this.#token = null;
        this.#onSignedOut();
      }
      throw error;
    }
  }

  #renew() {
    this.#renewal ??= this.#fetchToken().finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #fetchToken() {
    const { data } = await this.#send('POST', '/auth/refresh');
    this.#token = data.access_token;
  }

  async #send(method, path, options) {
    return read(await this.#fetch(method, path, options));
  }

  async #fetch(method, path, { body, headers = {}, ...options } = {}) {
    return arrived(
      fetch(this.#base + path, {
        method,
        credentials: 'include',
        headers: {
          ...(this.#token && { authorization: `Bearer ${this.#token}` }),
          ...(body && { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body && JSON.stringify(body),
        ...options,
      }),
    );
  }
}

/** An answer, or its text, once it is here; throws the ApiError of a lost connection, unless we have aborted it. */
async function arrived(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, UNREACHABLE);
  }
}

/** The data of a success; throws the ApiError of a failure. */
async function read(response) {
  const answer = parse(await arrived(response.text()));
  const { status, headers } = response;
  if (answer?.ok) return { data: answer.data, etag: headers.get('etag') };
  throw new ApiError(status, answer?.error ?? UNREADABLE, Number(headers.get('retry-after')) || null);
}

/** What the text says, or null if it is no JSON. */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
