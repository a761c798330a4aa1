// The portal: resumes a session or asks to sign in, then shows the view that the address names.
import { Api } from './api.js';
import { editDialog } from './edit-person.js';
import { $, announce, guarded, setMessage, showView } from './page.js';
import { ROLES, peopleView } from './people.js';
import { sessionsView } from './sessions.js';
import { signInView } from './sign-in.js';

const base = document.querySelector('meta[name=api-base]').content.replace(/\/$/, '');
const api = new Api(base, () => leave('Your session has ended. Sign in again to go on.'));
const signIn = signInView(api, enter);
const people = peopleView(api, (id) => edit.open(id, user));
const edit = editDialog(api, afterEdit);
const sessions = sessionsView(api);

/** Who is signed in, as `GET /auth/session` answers; null when nobody is. */
let user = null;

async function enter() {
  await loadUser();
  $('bar').hidden = false;
  await showAddressed();
}

async function loadUser() {
  ({ data: user } = await api.call('GET', '/auth/session'));
  const { name, email, company, portal_role, products } = user;
  $('company').textContent = company?.name ?? 'Portal';
  $('me-name').textContent = name ?? email;
  $('me-role').textContent = ROLES[portal_role];
  $('products').replaceChildren(
    ...products.map((product) => Object.assign(document.createElement('li'), { textContent: product })),
  );
}

/** Back to the sign-in view, leaving nothing of the user on the page. */
function leave(message) {
  user = null;
  edit.clear();
  people.clear();
  $('session-list').replaceChildren();
  $('bar').hidden = true;
  signIn.open();
  announce(message);
}

const addressed = () => (location.hash === '#sessions' ? 'sessions' : 'people');

async function showAddressed() {
  const name = addressed();
  await (name === 'sessions' ? sessions.load() : people.load(user));
  // The user may have gone on while it was loading.
  if (!user || name !== addressed()) return;
  for (const link of document.querySelectorAll('#bar nav a')) {
    if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  showView(name);
}

async function afterEdit(id) {
  if (id === user.id) await loadUser();
  await people.load(user);
}

addEventListener(
  'hashchange',
  guarded(async () => {
    if (user && location.hash !== '#main') await showAddressed();
  }),
);

$('sign-out').addEventListener(
  'click',
  guarded(async () => {
    await api.signOut();
    leave('You are signed out.');
  }),
);

void guarded(async () => {
  try {
    if (await api.resume()) return await enter();
  } catch (error) {
    setMessage($('problem'), error.message);
  }
  signIn.open();
})();
