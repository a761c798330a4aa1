// Signing in: by the link of a mail, by its code, or with Google.
import { $, busy, explain, guarded, setFault, showView } from './page.js';

/** Where the link and Google lead back to. */
const HERE = location.origin + location.pathname;

/** @param onSignedIn Called when this page has an access token. */
export function signInView(api, onSignedIn) {
  let requestId = null;

  function askForAddress() {
    requestId = null;
    $('asked').textContent = '';
    $('ask').hidden = false;
    $('prove').hidden = true;
    setFault($('email'));
    showView('sign-in');
    $('email').focus();
  }

  function askForCode(email) {
    $('asked').textContent = email;
    $('ask').hidden = true;
    $('prove').hidden = false;
    $('code').value = '';
    setFault($('code'));
    $('code').focus();
  }

  /** Signed in, by whichever way: nothing is waited for any more. */
  function enter() {
    requestId = null;
    return onSignedIn();
  }

  $('ask').addEventListener(
    'submit',
    guarded(async () => {
      const input = $('email');
      const email = input.value.trim();
      setFault(input, email ? '' : 'Type your e-mail address.');
      if (!email) return input.focus();
      await busy($('ask'), async () => {
        try {
          requestId = await api.askForLink(email, HERE);
          askForCode(email);
        } catch (error) {
          if (error.status !== 400 && error.status !== 429) throw error;
          setFault(input, explain(error));
          input.focus();
        }
      });
    }),
  );

  $('prove').addEventListener(
    'submit',
    guarded(async () => {
      const input = $('code');
      const code = input.value.replace(/\s/g, '');
      const complete = /^\d{6}$/.test(code);
      setFault(input, complete ? '' : 'The code has six digits.');
      if (!complete) return input.focus();
      await busy($('prove'), async () => {
        try {
          await api.signIn(requestId, code);
        } catch (error) {
          if (error.status !== 401) throw error;
          setFault(input, 'That code is not right, or no longer valid. Check it, or ask for a new one.');
          return input.select();
        }
        await enter();
      });
    }),
  );

  $('ask-again').addEventListener('click', askForAddress);

  $('google').addEventListener(
    'click',
    guarded(async () => {
      try {
        await api.signInWithGoogle(HERE);
      } catch (error) {
        // Not configured, not to be reached, or the service is busy: by mail it may go on.
        if (error.status !== 503) throw error;
        throw Object.assign(error, {
          message: 'Google sign-in is not available now. Use your e-mail address, or try again.',
        });
      }
    }),
  );

  // Back from the mail: its link has signed this browser in, in another tab.
  document.addEventListener(
    'visibilitychange',
    guarded(async () => {
      if (document.visibilityState === 'visible' && requestId && (await api.resume())) await enter();
    }),
  );

  return {
    /** Starts anew, for anybody. */
    open() {
      $('email').value = '';
      askForAddress();
    },
  };
}
