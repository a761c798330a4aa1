// The company's people: a list to search and page through.
import { $, fromTemplate, guarded } from './page.js';

const FIELDS = 'id,full_name,email,title,department,portal_access,portal_role';
const PER_PAGE = 10;
const TYPING_PAUSE = 250;
export const ROLES = { client_admin: 'Admin', client_viewer: 'Viewer' };

/** @param onEdit Called with the id of the person to edit. */
export function peopleView(api, onEdit) {
  let page = 1;
  let me = null;
  let loading = null;

  async function load() {
    // The answer to an older question must not replace that to a newer one.
    loading?.abort();
    loading = new AbortController();
    const query = new URLSearchParams({ page, limit: PER_PAGE, fields: FIELDS, sort: 'full_name' });
    const search = $('term').value.trim();
    if (search) query.set('search', search);
    const { data } = await api.call('GET', `/api/contacts?${query}`, { signal: loading.signal });
    if (data.items.length === 0 && page > 1) return turnTo(page - 1);
    show(data, search);
  }

  function show({ items, total, hasMore }, search) {
    $('list').replaceChildren(...items.map(personRow));
    const first = (page - 1) * PER_PAGE + 1;
    $('range').textContent = total ? `${first}–${first + items.length - 1} of ${total}` : nobody(search);
    $('previous').disabled = page === 1;
    $('next').disabled = !hasMore;
  }

  function personRow(person) {
    const name = person.full_name ?? person.email ?? person.id;
    const row = fromTemplate('person');
    const set = (selector, text) => (row.querySelector(selector).textContent = text ?? '');
    set('.avatar', initials(name));
    set('strong', name);
    set('.email', person.email);
    set('.job', [person.title, person.department].filter(Boolean).join(' · '));
    set('.role', person.portal_access ? ROLES[person.portal_role] : '');
    row.querySelector('.role').classList.toggle('badge', Boolean(person.portal_access));
    const edit = row.querySelector('button');
    edit.hidden = me.portal_role !== 'client_admin' && person.id !== me.id;
    edit.setAttribute('aria-label', `Edit ${name}`);
    edit.addEventListener(
      'click',
      guarded(() => onEdit(person.id)),
    );
    return row;
  }

  function turnTo(number) {
    page = number;
    return load();
  }

  let pause;
  $('term').addEventListener('input', () => {
    clearTimeout(pause);
    pause = setTimeout(
      guarded(() => turnTo(1)),
      TYPING_PAUSE,
    );
  });
  $('search').addEventListener(
    'submit',
    guarded(() => turnTo(1)),
  );
  $('previous').addEventListener(
    'click',
    guarded(() => turnTo(page - 1)),
  );
  $('next').addEventListener(
    'click',
    guarded(() => turnTo(page + 1)),
  );

  return {
    /** Fills the list for `user`, as `GET /auth/session` describes them. */
    load(user) {
      me = user;
      return load();
    },
    /** Forgets what the last user saw. */
    clear() {
      loading?.abort();
      clearTimeout(pause);
      page = 1;
      $('term').value = '';
      $('list').replaceChildren();
    },
  };
}

function nobody(search) {
  return search ? `Nobody matches “${search}”.` : 'Nobody is here yet.';
}

function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  return [words[0], words.length > 1 ? words.at(-1) : '']
    .map((word) => [...word][0] ?? '')
    .join('')
    .toUpperCase();
}
