// The arrows of docs/architecture.md: entry points → features → auth → common and config, never back.

/** A module of src/ that is an entry point, or the composition that all of them share. */
const COMPOSITION = String.raw`^src/[^/]+\.ts$`;

/** @param {string} name @param {string} comment @param {object} from @param {object} to */
const forbid = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });

export default {
  forbidden: [
    forbid('no-cycle', 'Two modules that need each other are one, or hide a third.', {}, { circular: true }),
    forbid(
      'common-and-config-know-nothing-of-ours',
      'They are what everything else stands on.',
      { path: '^src/(common|config)/' },
      { path: '^src/', pathNot: '^src/(common|config)/' },
    ),
    forbid(
      'config-knows-not-even-common',
      'It is read before anything is built.',
      { path: '^src/config/' },
      { path: '^src/common/' },
    ),
    forbid(
      'auth-knows-no-feature',
      'Who is calling is settled before a feature is reached.',
      { path: '^src/auth/' },
      { path: '^src/', pathNot: '^src/(auth|common|config)/' },
    ),
    forbid(
      'companies-know-auth-only',
      'Contacts belong to companies, not the other way round.',
      { path: '^src/companies/' },
      { path: '^src/', pathNot: '^src/(companies|auth|common|config)/' },
    ),
    forbid(
      'contacts-know-companies-and-auth-only',
      'A feature asks for what it needs through its arrow.',
      { path: '^src/contacts/' },
      { path: '^src/', pathNot: '^src/(contacts|companies|auth|common|config)/' },
    ),
    forbid(
      'portal-knows-contacts-mail-and-auth-only',
      'Signing in is for contacts, by mail.',
      { path: '^src/portal/' },
      { path: '^src/', pathNot: '^src/(portal|contacts|mail|auth|common|config)/' },
    ),
    forbid(
      'audit-knows-auth-only',
      'It reads what others wrote down.',
      { path: '^src/audit/' },
      { path: '^src/', pathNot: '^src/(audit|auth|common|config)/' },
    ),
    forbid(
      'retention-knows-no-feature',
      'It goes by tables and their age alone.',
      { path: '^src/retention/' },
      { path: '^src/', pathNot: '^src/(retention|common|config)/' },
    ),
    forbid(
      'mail-knows-no-feature',
      'What a mail says is the business of whoever sends it.',
      { path: '^src/mail/' },
      { path: '^src/', pathNot: '^src/(mail|common|config)/' },
    ),
    forbid(
      'cli-is-for-entry-points',
      'Commands are called from the command line alone.',
      { path: '^src/', pathNot: [COMPOSITION, '^src/cli/'] },
      { path: '^src/cli/' },
    ),
    forbid(
      'health-knows-database-and-auth-only',
      'Readiness is a question about the schema.',
      { path: '^src/health/' },
      { path: '^src/', pathNot: '^src/(health|database|auth|common|config)/' },
    ),
    forbid(
      'metrics-know-what-they-count',
      'They ask the pool, the queue and the counts; what happens in a request they are told.',
      { path: '^src/metrics/' },
      { path: '^src/', pathNot: '^src/(metrics|contacts|mail|common|config)/' },
    ),
    forbid(
      'traces-know-no-feature',
      'What happens in a request they are told.',
      { path: '^src/traces/' },
      { path: '^src/', pathNot: '^src/(traces|common|config)/' },
    ),
    forbid(
      'nobody-knows-who-listens',
      'Features tell of their work by common/signals.ts, whether or not anybody counts it.',
      { path: '^src/', pathNot: [COMPOSITION, '^src/(metrics|traces)/'] },
      { path: '^src/(metrics|traces)/|node_modules/(prom-client|@opentelemetry)/' },
    ),
    forbid(
      'database-stands-alone',
      'Migrations run without the application.',
      { path: '^src/database/' },
      { path: '^src/', pathNot: '^src/(database|common|config)/' },
    ),
    forbid(
      'database-is-for-entry-points-and-health',
      'Features never look at the schema or the migrations.',
      { path: '^src/', pathNot: [COMPOSITION, '^src/(database|health)/'] },
      { path: '^src/database/' },
    ),
    forbid(
      'local-is-for-entry-points',
      'The embedded database and the sample data are no part of the service.',
      { path: '^src/', pathNot: [COMPOSITION, '^src/local/'] },
      { path: '^src/local/' },
    ),
    forbid(
      'a-feature-keeps-its-repository',
      'Other modules see its service and types; commands work without the application, and compose what they need.',
      { path: '^src/([^/]+)/', pathNot: '^src/(common|config|database|local|cli)/' },
      { path: String.raw`^src/([^/]+)/[^/]+\.repository\.ts$`, pathNot: '^src/$1/' },
    ),
    forbid(
      'local-keeps-to-services',
      'Sample data takes the same path as any other.',
      { path: '^src/local/' },
      { path: String.raw`\.repository\.ts$` },
    ),
    forbid(
      'nobody-imports-an-entry-point',
      'Importing one would start it.',
      {},
      { path: '^src/(main|migrate|cli|openapi)\\.ts$' },
    ),
    forbid(
      'nothing-imports-tests',
      'What is shipped stands without them.',
      { path: '^(src|migrations)/' },
      { path: '^test/' },
    ),
    forbid(
      'no-development-dependency-in-the-image',
      'The image has production dependencies only: what is optional there is asked for when it is needed.',
      { path: '^src/' },
      { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    ),
    forbid(
      'no-undeclared-package',
      'A package that is there only because another brings it may be gone tomorrow.',
      { path: '^(src|migrations|test)/' },
      { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown'] },
    ),
    forbid('no-unresolvable', 'An import that leads nowhere.', {}, { couldNotResolve: true }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
