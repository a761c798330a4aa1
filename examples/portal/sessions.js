// Where the user is signed in, and signing out there.
import { $, announce, fromTemplate, guarded } from './page.js';

const METHODS = { magic_link: 'by mail', google: 'with Google' };
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

export function sessionsView(api) {
  async function load() {
    const { data } = await api.call('GET', '/auth/sessions');
    $('session-list').replaceChildren(...data.items.map(sessionRow));
    $('end-others').disabled = data.items.length < 2;
  }

  function sessionRow(session) {
    const row = fromTemplate('session');
    const set = (selector, text) => (row.querySelector(selector).textContent = text);
    const device = deviceOf(session.user_agent);
    set('strong', session.current ? `${device} (this one)` : device);
    set(
      '.where',
      `Signed in ${METHODS[session.method] ?? ''} from ${session.client_address ?? 'an unknown address'}`,
    );
    set('.when', `Last used ${moment.format(new Date(session.last_used_at))}`);
    const end = row.querySelector('button');
    end.hidden = session.current;
    end.setAttribute(
      'aria-label',
      `Sign out ${device}, last used ${moment.format(new Date(session.last_used_at))}`,
    );
    end.addEventListener(
      'click',
      guarded(async () => {
        await api.call('DELETE', `/auth/sessions/${session.id}`);
        announce('Signed out there.');
        await load();
        $('sessions-title').focus();
      }),
    );
    return row;
  }

  $('end-others').addEventListener(
    'click',
    guarded(async () => {
      await api.signOut('others');
      announce('Signed out everywhere else.');
      await load();
    }),
  );

  return { load };
}

/** A browser and system for people, as far as the header tells. */
function deviceOf(userAgent) {
  const find = (names) => Object.keys(names).find((name) => names[name].test(userAgent ?? ''));
  const browser = find({ Edge: /Edg/, Firefox: /Firefox/, Chrome: /Chrom/, Safari: /Safari/ });
  const system = find({
    Android: /Android/,
    iOS: /iPhone|iPad/,
    Windows: /Windows/,
    macOS: /Mac OS/,
    Linux: /Linux/,
  });
  return [browser ?? 'A browser', system].filter(Boolean).join(' on ');
}
