// The names people have in the generated data: first ones are more frequent than later ones.

const FIRST = `
James Mary John Anna Robert Maria David Laura Michael Sarah Daniel Julia Thomas Emma William Elena Peter Sophie
Martin Hannah Lucas Katarzyna Paul Eva Mark Lisa Andreas Marta Stefan Nina Christian Claudia Alexander Sandra
Jan Karin Simon Monika Adam Birgit Philip Andrea Oliver Christine George Barbara Anton Petra Max Helena
José María Łukasz Agnieszka André Chloé François Élodie Søren Amélie Jürgen Zoë Björn Céline Jörg Inés Raúl Sofía
Ahmed Fatima Mohamed Leila Omar Amira Yusuf Nadia Karim Yasmin Hassan Samira Ibrahim Aisha Ali Layla Khaled Noor
Wei Yuki Hiroshi Sakura Kenji Aiko Jun Mei Takumi Hana Li Xin Chen Ling Min Soo Ji Hyun Priya Arjun Ananya Rohan
Kavya Vikram Divya Rahul Meera Sanjay Neha Aditya Pooja Rajesh Sunita Deepak Amara Chidi Ngozi Emeka Adaeze Kwame
Abena Kofi Ama Zola Thabo Lerato Sipho Nandi Diego Valentina Mateo Camila Santiago Isabella Sebastián Lucía Andrés
Gabriela Javier Carmen Miguel Rosa Fernando Beatriz Ricardo Patrícia João Inês Tiago Catarina Pedro Mariana Rui
Ivan Olga Dmitri Svetlana Sergei Natalia Alexei Irina Pavel Tatiana Nikolai Ekaterina Viktor Ludmila Boris Vera
Marco Giulia Luca Chiara Matteo Francesca Alessandro Martina Lorenzo Alice Davide Giorgia Stefano Valeria Paolo
Lars Ingrid Erik Astrid Nils Freja Anders Sigrid Magnus Linnea Henrik Maja Gustav Elsa Oskar Saga Mikkel Freya
Tomasz Magdalena Piotr Joanna Krzysztof Małgorzata Paweł Ewa Marcin Dorota Jakub Zuzanna Mateusz Aleksandra
Jean Marie Pierre Camille Louis Manon Hugo Inga Jules Léa Antoine Clara Nicolas Margaux Julien Pauline Mathieu
Kevin Jessica Brian Ashley Jason Amanda Justin Melissa Brandon Stephanie Tyler Nicole Aaron Heather Nathan Rachel
Kyle Megan Ethan Olivia Noah Ava Liam Mia Mason Charlotte Logan Amelia Jacob Harper Owen Evelyn Wyatt Abigail
Declan Siobhan Conor Aoife Sean Niamh Patrick Ciara Rory Orla Finn Maeve Gareth Bethan Rhys Carys Ewan Isla
Attila Zsófia Bence Réka Gábor Ildikó Dušan Jelena Goran Mirjana Zoran Ivana Nikola Milica Andrei Ioana Radu Elif
Mehmet Zeynep Mustafa Ayşe Emre Deniz Murat Selin Can Defne Jean-Luc Anne-Sophie Hans-Peter Ana-Maria Mary-Jane`;

const LAST = `
Smith Miller Johnson Brown Williams Jones Garcia Davis Wilson Anderson Martin Taylor Moore Jackson Thompson White
Lopez Lee Gonzalez Harris Clark Lewis Robinson Walker Perez Hall Young Allen Sanchez Wright King Scott Green Baker
Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Koch Richter Klein Wolf Schröder Neumann
Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Werner Krause Lehmann Köhler Maier Huber Kaiser Fuchs Vogel
Dubois Durand Leroy Moreau Laurent Lefebvre Michel Bertrand Roux Fournier Girard Bonnet Dupont Lambert Rousseau
Rossi Russo Ferrari Esposito Bianchi Romano Colombo Ricci Marino Greco Bruno Gallo Conti Costa Giordano Mancini
Fernández Rodríguez Gómez Martínez Díaz Hernández Muñoz Álvarez Jiménez Ruiz Moreno Gutiérrez Ramírez Vázquez
Silva Santos Oliveira Pereira Lima Carvalho Ferreira Ribeiro Almeida Gomes Araújo Barbosa Rocha Cardoso Teixeira
Nowak Kowalski Wiśniewski Wójcik Kowalczyk Kamiński Lewandowski Zieliński Szymański Woźniak Dąbrowski Kozłowski
Novák Svoboda Dvořák Procházka Kučera Veselý Horváth Nagy Szabó Tóth Varga Kiss Kovács Popescu Ionescu Dumitru
Hansen Johansen Olsen Larsen Andersen Pedersen Nilsen Kristiansen Jensen Karlsen Johansson Karlsson Nilsson Eriksson
Lindqvist Lindberg Lundgren Bergström Virtanen Korhonen Mäkinen Nieminen Petrov Ivanov Sidorov Volkov Sokolov Popov
Wang Zhang Liu Chen Yang Huang Zhao Wu Zhou Tanaka Suzuki Sato Watanabe Ito Yamamoto Nakamura Kobayashi Kim Park
Choi Jung Kang Nguyen Tran Pham Hoang Patel Sharma Singh Kumar Gupta Verma Reddy Iyer Nair Rao Mehta Kapoor Khan
Haddad Nasser Farouk Mansour Aziz Rahman Hussein Abbas Saleh Hamdan Yilmaz Kaya Demir Çelik Şahin Öztürk Arslan
Okafor Adeyemi Okonkwo Mensah Boateng Dlamini Nkosi Mbeki Diallo Traoré Keita Abebe Tesfaye Mwangi Otieno Kamau
O'Brien O'Connor Murphy Kelly Walsh Byrne Ryan Doyle McCarthy Gallagher Campbell Stewart Robertson MacDonald Fraser
Janssen Bakker Visser Smit Mulder Peeters Maes Jacobs Willems Claes Cohen Levy Mizrahi Peretz Friedman Katz`;

/** Together they make as many further last names as there are pairs. */
const BEGINNINGS = `Ash Beck Birch Black Brad Brook Burn Cald Carl Clay Cope Crof Dray East Fair Farn Glad Hales Hart
Hay Hol Kings Lang Lock Mel Nor Oak Pem Rad Raven Rose Shel Stan Stone Thorn Under Wake West Whit Win`;
const ENDINGS = `bridge brook bury by combe cote croft dale field ford ham hurst land ley low more ridge stead ton
ville well wick wood worth`;

export interface Name {
  readonly name: string;
  /** Lower-case ASCII letters, unlike those of every other name. */
  readonly slug: string;
}

export const FIRST_NAMES = named(words(FIRST));
export const LAST_NAMES = named([...words(LAST), ...compounds()]);

/** What company names end in. */
export const BUSINESSES =
  words(`Analytics Labs Logistics Partners Systems Energy Foods Media Robotics Insurance
Capital Consulting Engineering Textiles Pharma Motors Marine Aviation Mining Software Networks Security Studios
Hospitality Education Healthcare Furniture Chemicals Packaging Telecom Biotech Optics Steel Paper Glass Tools Travel
Legal Realty Solar`);

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

/** Every fifth beginning goes with an ending in turn, so that neighbours in the list do not look alike. */
function compounds(): string[] {
  const [beginnings, endings] = [words(BEGINNINGS), words(ENDINGS)];
  return endings.flatMap((_, turn) =>
    beginnings.map((beginning, index) => beginning + endings[(turn + index * 5) % endings.length]),
  );
}

function named(names: readonly string[]): Name[] {
  const bySlug = new Map(names.map((name) => [slugOf(name), name]));
  return [...bySlug].map(([slug, name]) => ({ name, slug }));
}

function slugOf(name: string): string {
  const plain = name.replaceAll(/[łŁ]/g, 'l').replaceAll('ø', 'o').replaceAll('ı', 'i').normalize('NFKD');
  return plain.toLowerCase().replaceAll(/[^a-z]/g, '');
}
