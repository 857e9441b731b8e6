// Where one gives the token.

import { useState } from "preact/hooks";
import { signIn } from "../api.ts";

export function SignIn({ onSignedIn }: { onSignedIn: () => Promise<void> }) {
  const [token, setToken] = useState("");
  const [wrong, setWrong] = useState("");

  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    try {
      await signIn(token);
      await onSignedIn();
    } catch (error) {
      setWrong((error as Error).message);
    }
  }

  return (
    <main class="signin">
      <form class="card" onSubmit={(event) => void submit(event)}>
        <img src="icon.svg" alt="" width="44" height="44" />
        <h1>Stethoscope</h1>
        <p>The numbers of this service are for those who know its token.</p>
        <input class="unseen" type="text" name="username" autocomplete="username" value="stethoscope" readonly tabIndex={-1} aria-hidden="true" />
        <label>
          Token
          <input
            type="password" name="token" autocomplete="current-password" required autofocus
            aria-invalid={Boolean(wrong)} aria-describedby="wrong" value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <p id="wrong" class="wrong" role="alert">{wrong}</p>
        <button type="submit">Sign in</button>
        <p class="aside">It is set by <code>STETHOSCOPE_TOKEN</code> or <code>token=</code>.</p>
      </form>
    </main>
  );
}
