// sweep: removes what has been kept long enough, now.
import { sweep as removeDue } from '../retention/retention.js';
import { type Command, json } from './command.js';

export const sweep: Command = {
  options: ['json'],
  run: async ({ env }, values) => {
    const swept = await removeDue(env);
    if (values.json) return json(swept);
    if (!swept) return 'Another process is sweeping.\n';
    return Object.entries(swept)
      .map(([table, rows]) => `${table}: ${rows} removed\n`)
      .join('');
  },
};
