// signing-keys …: the keys that sign portal tokens.
import { AuditLog } from '../auth/audit-log.js';
import { Secrets } from '../common/secrets.js';
import { SigningKeysRepository } from '../portal/signing-keys.repository.js';
import { NO_KEYS, SigningKeysService } from '../portal/signing-keys.service.js';
import { type Command, json, table } from './command.js';

type Context = Parameters<Command['run']>[0];

export const signingKeys: Record<string, Command> = {
  rotate: {
    options: [],
    run: async (context) => `${await service(context).rotate()}\n`,
  },
  list: {
    options: ['json'],
    run: async (context, values) => {
      const all = await service(context).list();
      if (values.json) return json(all);
      return table(
        all.map(({ kid, status, created_at }) => [kid, status, created_at]),
        NO_KEYS,
      );
    },
  },
};

function service({ db, env }: Context): SigningKeysService {
  return new SigningKeysService(
    new SigningKeysRepository(db),
    new Secrets(env.PORTAL_SECRET),
    new AuditLog(db),
  );
}
