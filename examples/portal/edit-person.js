// The dialog that changes a person: it sends what was changed and nothing else.
import { $, announce, busy, explain, guarded, setFault, setMessage } from './page.js';

const NO_ACCESS = 'none';
const CHANGED_MEANWHILE =
  'Somebody else has changed this person meanwhile. This is how it is now: please try again.';

/** @param onSaved Called after a change. */
export function editDialog(api, onSaved) {
  const dialog = $('edit');
  const form = $('edit-form');
  const inputs = [...form.querySelectorAll('.fields input:not([type=radio])')];
  let person = null;
  let etag = null;
  let me = null;

  async function load(id) {
    ({ data: person, etag } = await api.call('GET', `/api/contacts/${id}`));
    $('edit-title').textContent = person.full_name ?? person.email ?? 'Somebody';
    for (const input of inputs) input.value = person[input.name] ?? '';
    form.elements.access.value = accessOf(person);
    for (const part of form.querySelectorAll('.admin')) part.hidden = me.portal_role !== 'client_admin';
    // Nobody gives access to, or takes it from, themselves.
    $('access').hidden ||= person.id === me.id;
    showFaults([]);
  }

  /** The fields that differ from what was loaded; an emptied one becomes null. */
  function changes() {
    const changed = {};
    for (const { name, value } of inputs) {
      if (value.trim() !== (person[name] ?? '')) changed[name] = value.trim() || null;
    }
    const role = form.elements.access.value;
    if (role !== accessOf(person)) {
      Object.assign(
        changed,
        role === NO_ACCESS ? { portal_access: 0 } : { portal_access: 1, portal_role: role },
      );
    }
    return changed;
  }

  async function save() {
    const body = changes();
    if (Object.keys(body).length === 0) return dialog.close();
    try {
      // If-Match refuses to overwrite what somebody else has changed since.
      await api.call('PATCH', `/api/contacts/${person.id}`, { body, headers: { 'if-match': etag } });
    } catch (error) {
      if (error.status === 401 || !error.details) throw error;
      if (error.status === 412) await load(person.id);
      return error.status === 412
        ? setMessage($('edit-problem'), CHANGED_MEANWHILE)
        : showFaults(error.details, error);
    }
    dialog.close();
    announce('Saved.');
    await onSaved(person.id);
  }

  /** Every fault at its field; what belongs to none, at the top. */
  function showFaults(details, error) {
    const faults = Map.groupBy(details, ({ field }) => field);
    const messageOf = (list = []) => list.map((fault) => fault.message ?? explain(error)).join(' ');
    for (const input of inputs) setFault(input, messageOf(faults.get(input.name)));
    const wrong = inputs.filter((input) => faults.has(input.name));
    const elsewhere = details.filter(({ field }) => !wrong.some((input) => input.name === field));
    const rest = messageOf(elsewhere) || (error && wrong.length === 0 ? explain(error) : '');
    setMessage($('edit-problem'), rest);
    wrong[0]?.focus();
  }

  form.addEventListener(
    'submit',
    guarded(() => busy(form, save)),
  );
  $('edit-cancel').addEventListener('click', () => dialog.close());

  return {
    /** Opens the dialog on a contact for `user`, as `GET /auth/session` describes them. */
    async open(id, user) {
      me = user;
      await load(id);
      dialog.showModal();
    },
    /** Closes it and forgets what it showed. */
    clear() {
      dialog.close();
      form.reset();
      $('edit-title').textContent = '';
      person = null;
    },
  };
}

const accessOf = ({ portal_access, portal_role }) => (portal_access ? portal_role : NO_ACCESS);
